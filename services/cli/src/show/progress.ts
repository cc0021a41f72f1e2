// Progress on stderr: a bar on a terminal, nothing elsewhere (the result and the log tell enough there).
import { Presets, SingleBar } from 'cli-progress';
import type { MapProgress } from '@capfleet/coordinator/usecases/map-data-set';
import { formatBytes, formatCount } from './text.ts';

export interface ProgressBar<Progress> {
  update(progress: Progress): void;
  stop(): void;
}

export function mapProgressBar(stream: NodeJS.WriteStream): ProgressBar<MapProgress> {
  if (!stream.isTTY) return { update: () => undefined, stop: () => undefined };
  const started = performance.now();
  const bar = new SingleBar(
    {
      stream,
      format: 'mapping {bar} {percentage}% | {files} files | {done} | {rate}/s | ETA {eta_formatted}',
      hideCursor: true,
      clearOnComplete: true,
      barsize: 24,
      etaBuffer: 50,
    },
    Presets.shades_classic,
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
