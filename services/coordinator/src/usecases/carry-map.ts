// Carries a mapping through that was asked for, from wherever it is: what was mapped before is in its journal. The set
// is there, or replaced, once all is mapped.
import { RUN_RENEWAL_MS } from '@capfleet/shared/contract/agent-messages';
import { isMapOver, type MapRecord, type MapState } from '@capfleet/shared/contract/map-record';
import { dumpText } from '@capfleet/shared/dataset/gophercap-json';
import { asFailure, Failure } from '@capfleet/shared/errors/failure';
import { pathPattern } from '@capfleet/shared/source/path-pattern';
import type { Fence } from '@capfleet/shared/source/roots';
import type { Source } from '@capfleet/shared/source/source';
import { linesOf } from '../domain/lines.ts';
import type { MapJobs } from '../ports/map-jobs.ts';
import type { MapStore } from '../ports/map-store.ts';
import type { SetStore } from '../ports/set-store.ts';
import { mapDataSet } from './map-data-set.ts';
import type { MapProgress } from './map-progress.ts';
import { sparingly } from './sparingly.ts';

export interface MapWorld {
  readonly store: MapStore;
  readonly sets: Pick<SetStore, 'put'>;
  readonly source: Source;
  readonly mayRead: Fence;
  readonly jobsOf: (record: MapRecord) => MapJobs;
  /** Names the Redis in errors. */
  readonly redis: string;
}

/**
 * @param leave aborted: it is given back as it is, and another coordinator carries it on
 * @returns how it ended
 * @throws Failure `map-taken` where another coordinator has it; `map-unknown`; the reason of `leave`
 */
export async function carryMap(world: MapWorld, map: string, leave: AbortSignal): Promise<MapState> {
  const { store, sets, source, mayRead, jobsOf, redis } = world;
  if (!(await store.hold(map))) throw new Failure('map-taken', { map });
  const over = new AbortController();
  const look = async (): Promise<void> => {
    if (!(await store.hold(map))) over.abort(new Failure('map-taken', { map }));
    else if (await store.isStopAsked(map)) over.abort(new Failure('map-stopped', { map }));
  };
  const renewal = setInterval(() => void look().catch(() => undefined), RUN_RENEWAL_MS);
  let progress: MapProgress | null = null;
  const end = async (state: 'done' | 'failed' | 'stopped', rest: Partial<MapState>): Promise<MapState> => {
    const ended: MapState = { state, progress, filesFailed: null, error: null, ...rest };
    await store.finish(map, ended);
    return ended;
  };
  try {
    const { record, state } = await store.load(map);
    if (isMapOver(state)) return await end('done', state);
    if (!(await mayRead(record.source))) throw new Failure('file-outside-roots', { path: record.source });
    await look();
    const show = sparingly((latest: MapProgress) =>
      store.show(map, { state: 'mapping', progress: latest, filesFailed: null, error: null }),
    );
    const isKept = (): boolean => leave.aborted || asFailure(over.signal.reason).code === 'map-taken';
    const set = await mapDataSet(source, jobsOf(record), await store.journal(map, isKept), {
      source: record.source,
      filter: {
        suffix: record.suffix,
        pattern: record.pattern === null ? null : pathPattern(record.pattern),
      },
      quick: record.quick,
      workerTimeoutMs: record.workerTimeoutMs,
      redis,
      signal: AbortSignal.any([leave, over.signal]),
      onProgress(latest) {
        progress = latest;
        show(latest);
      },
    });
    await sets.put(record.set, linesOf(dumpText(set)));
    return await end('done', { filesFailed: set.rows.failed.length });
  } catch (thrown) {
    const failure = asFailure(thrown);
    if (leave.aborted || failure.code === 'map-taken' || failure.code === 'map-unknown') {
      await store.release(map).catch(() => undefined);
      throw thrown;
    }
    return await end(failure.code === 'map-stopped' ? 'stopped' : 'failed', { error: failure.toRecord() });
  } finally {
    clearInterval(renewal);
  }
}
