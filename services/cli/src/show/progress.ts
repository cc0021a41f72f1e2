// Progress on stderr: a bar on a terminal, nothing elsewhere (the result and the log tell enough there) but that a start
// is waited for.
import { Presets, SingleBar } from 'cli-progress';
import type { MapProgress } from '@capfleet/coordinator/usecases/map-progress';
import { formatDuration } from '@capfleet/shared/time/nanos';
import { isLongWait, startWait } from './start-wait.ts';
import { formatBytes, formatCount } from './text.ts';
import { totalsOf, type RunProgress } from './totals.ts';
import type { Talk } from '../world.ts';

export interface ProgressBar<Progress> {
  update(progress: Progress): void;
  stop(): void;
}

const SECOND_MS = 1000;

/** @param seconds or a word of the bar's own, such as INF, where nothing is known yet */
function eta(seconds: number): string {
  return Number.isFinite(seconds) ? formatDuration(BigInt(Math.ceil(seconds)) * 1_000_000_000n) : '-';
}

function barOn(stream: Talk, format: string): SingleBar {
  const looks = { hideCursor: true, clearOnComplete: true, barsize: 24, etaBuffer: 50, formatTime: eta };
  return new SingleBar({ stream, format, ...looks }, Presets.shades_classic);
}

export function mapProgressBar(stream: Talk): ProgressBar<MapProgress> {
  if (!stream.isTTY) return { update: () => undefined, stop: () => undefined };
  const started = performance.now();
  const bar = barOn(
    stream,
    'mapping {bar} {percentage}% | {files} files | {done} | {rate}/s | ETA {eta_formatted}',
  );
  bar.start(1, 0, { files: '0', done: '0 B', rate: '0 B' });
  return {
    update(progress) {
      const seconds = (performance.now() - started) / 1000;
      bar.setTotal(Math.max(1, progress.bytes));
      bar.update(progress.bytesDone, {
        files: `${formatCount(progress.filesDone)}/${formatCount(progress.files)}${progress.listed ? '' : '+'}`,
        done: `${formatBytes(progress.bytesDone)}/${formatBytes(progress.bytes)}`,
        rate: formatBytes(progress.bytesDone / Math.max(seconds, 0.001)),
      });
    },
    stop() {
      bar.stop();
    },
  };
}

export interface ExtractProgress {
  /** Bytes of the tarball that are done. */
  readonly consumed: number;
  readonly written: number;
}

/** @param size of the tarball as it lies there, bytes */
export function extractProgressBar(stream: Talk, size: number): ProgressBar<ExtractProgress> {
  if (!stream.isTTY) return { update: () => undefined, stop: () => undefined };
  const bar = barOn(stream, 'extracting {bar} {percentage}% | {files} | {done} | ETA {eta_formatted}');
  bar.start(Math.max(1, size), 0, { files: formatCount(0, 'file'), done: '0 B' });
  return {
    update({ consumed, written }) {
      bar.update(Math.min(consumed, Math.max(1, size)), {
        files: formatCount(written, 'file'),
        done: `${formatBytes(consumed)}/${formatBytes(size)}`,
      });
    },
    stop() {
      bar.stop();
    },
  };
}

/** @param packets at most */
export function writeProgressBar(stream: Talk, packets: number): ProgressBar<number> {
  if (!stream.isTTY) return { update: () => undefined, stop: () => undefined };
  const bar = barOn(stream, 'writing {bar} {percentage}% | {done} packets | ETA {eta_formatted}');
  bar.start(Math.max(1, packets), 0, { done: '0' });
  return {
    update(done) {
      bar.update(Math.min(done, packets), { done: formatCount(done) });
    },
    stop() {
      bar.stop();
    },
  };
}

/** @param duration of the whole run on the wire, ns; 0 where it has no end */
export function replayProgressBar(stream: Talk, duration: bigint): ProgressBar<RunProgress> {
  if (!stream.isTTY) return startLine(stream);
  const bar = barOn(
    stream,
    `{phase} {bar} {place}${duration > 0n ? ` of ${formatDuration(duration)}` : ''} | {sent} packets sent`,
  );
  bar.start(1000, 0, { phase: 'preparing', place: '0 ns', sent: '0' });
  let last: RunProgress | null = null;
  const draw = (): void => {
    if (!last) return;
    const { sent, position: place } = totalsOf(last);
    const share = duration > 0n ? Number((place * 1000n) / duration) : 0;
    bar.update(Math.min(share, 1000), {
      phase: startWait(last) ?? last.phase,
      place: formatDuration(place),
      sent: formatCount(sent),
    });
  };
  // Nothing else is heard while the start is waited for.
  const clock = setInterval(draw, SECOND_MS);
  return {
    update(state) {
      last = state;
      draw();
    },
    stop() {
      clearInterval(clock);
      bar.stop();
    },
  };
}

/** One line, once, where the start is worth waiting for. */
export function startLine(stream: NodeJS.WritableStream): ProgressBar<RunProgress> {
  let isTold = false;
  return {
    update(state) {
      if (isTold || !isLongWait(state)) return;
      isTold = true;
      stream.write(`capfleet: ${startWait(state) ?? ''}\n`);
    },
    stop: () => undefined,
  };
}

/** @param size of all captures as they lie there, bytes; updated with those that are done */
export function editProgressBar(stream: Talk, size: number): ProgressBar<number> {
  if (!stream.isTTY) return { update: () => undefined, stop: () => undefined };
  const bar = barOn(stream, 'editing {bar} {percentage}% | {done} | ETA {eta_formatted}');
  bar.start(Math.max(1, size), 0, { done: '0 B' });
  return {
    update(consumed) {
      bar.update(Math.min(consumed, Math.max(1, size)), {
        done: `${formatBytes(consumed)}/${formatBytes(size)}`,
      });
    },
    stop() {
      bar.stop();
    },
  };
}
