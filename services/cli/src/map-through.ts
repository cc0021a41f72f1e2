// A mapping that a coordinator carries through: asked for, followed, and written down here as well.
import { setTimeout as sleep } from 'node:timers/promises';
import { isMapOver, type MapState } from '@capfleet/shared/contract/map-record';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { Failure } from '@capfleet/shared/errors/failure';
import { sources } from '@capfleet/shared/source/sources';
import type { S3Options } from '@capfleet/shared/source/s3/s3-options';
import { claimDump } from './claim-dump.ts';
import type { CoordinatorClient, MapRequest } from './coordinator-client.ts';
import { loadDump } from './load-dump.ts';
import { mapProgressBar } from './show/progress.ts';
import { formatCount } from './show/text.ts';
import type { World } from './world.ts';

const LOOK_MS = 500;

export interface MapThrough {
  readonly request: MapRequest;
  readonly dumpJson: string;
  readonly s3: S3Options;
  readonly json: boolean;
}

/** @throws Failure of the coordinator, or why the mapping failed */
export async function mapThrough(
  client: CoordinatorClient,
  { request, dumpJson, s3, json }: MapThrough,
  world: World,
): Promise<ExitCode> {
  const dump = await claimDump(dumpJson, s3);
  const map = await client.createMap(request);
  const { filesFailed } = await ended(client, map, world);
  await dump.commit(client.mapping(request.set));
  const { files, totals } = await loadDump(dumpJson, sources(s3));
  const failed = filesFailed ?? 0;
  const cutOff = files.filter(({ map: { status } }) => status === 'partial').length;
  if (json) {
    const result = { set: request.set, map, ...totals, partial: cutOff, failed };
    world.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  } else {
    const broken = [
      ...(cutOff > 0 ? [`, ${String(cutOff)} cut off`] : []),
      ...(failed > 0 ? [`, ${String(failed)} not readable`] : []),
    ].join('');
    world.stdout.write(
      `set ${request.set}: ${formatCount(totals.files, 'file')}, ${formatCount(totals.packets, 'packet')}${broken}\n` +
        `\nwritten: ${dumpJson}\nnext: capfleet replay --dump-json ${dumpJson} --coordinator URL --sensors NAMES\n`,
    );
  }
  return failed + cutOff > 0 ? exitCode.partial : exitCode.ok;
}

/** Ctrl-C ends the mapping, too. Where the coordinator cannot be reached, the mapping goes on, and is found again. */
async function ended(
  client: CoordinatorClient,
  map: string,
  { stderr, interrupted }: World,
): Promise<MapState> {
  const bar = mapProgressBar(stderr);
  let isLost = false;
  const look = async (): Promise<MapState | null> => {
    try {
      const state = await client.mapState(map);
      isLost = false;
      return state;
    } catch (thrown) {
      if (!(thrown instanceof Failure) || !thrown.retryable) throw thrown;
      if (!isLost) stderr.write(`capfleet: ${thrown.message}; mapping ${map} goes on, and is found again\n`);
      isLost = true;
      return null;
    }
  };
  try {
    for (;;) {
      if (interrupted.aborted) {
        await client.stopMap(map);
        interrupted.throwIfAborted();
      }
      const state = await look();
      if (state?.progress) bar.update(state.progress);
      if (state && isMapOver(state)) {
        if (state.state === 'done') return state;
        if (state.error) throw new Failure(state.error.code, {}, { record: state.error });
        throw new Failure('map-stopped', { map });
      }
      await sleep(LOOK_MS, undefined, { signal: interrupted }).catch(() => undefined);
    }
  } finally {
    bar.stop();
  }
}
