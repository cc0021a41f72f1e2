// A `capfleet coordinator` as commands use it: requests whose refusals are told in the coordinator's words, and runs
// that are followed over connections that may break.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventSourceParserStream, ParseError } from 'eventsource-parser/stream';
import type { z } from 'zod';
import {
  mapDetailSchema,
  refusalSchema,
  runCreatedSchema,
  runListSchema,
  sensorListSchema,
  type mapRequestSchema,
  type RunSettingsInput,
  type RunSummary,
} from '@capfleet/shared/contract/api';
import type { Registration } from '@capfleet/shared/contract/agent-messages';
import type { MapState } from '@capfleet/shared/contract/map-record';
import { runReportSchema, type RunReport } from '@capfleet/shared/contract/report';
import { runViewSchema, type RunView } from '@capfleet/shared/contract/run-view';
import type { PlanDocument } from '@capfleet/shared/dataset/plan-file';
import { Failure, reasonOf } from '@capfleet/shared/errors/failure';
import { parseEntry } from '@capfleet/shared/redis/stream';

/** Three of the comments that come while nothing changes. */
const SILENCE_MS = 45_000;
export interface AnswerLimits {
  /** For an answer that is one document. */
  readonly answerMs: number;
  /** Of a document, or an event. */
  readonly mostBytes: number;
}
/** A report has some kilobytes for each sensor. */
const usualLimits: AnswerLimits = { answerMs: 60_000, mostBytes: 64 * 1024 ** 2 };
/** As many as a coordinator lists. */
const MOST_RUNS = 1000;
const MOST_ATTEMPTS = 3;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;

export interface CoordinatorClient {
  sensors(): Promise<readonly Registration[]>;
  runs(): Promise<readonly RunSummary[]>;
  createRun(plan: PlanDocument, settings: RunSettingsInput): Promise<string>;
  createMap(request: MapRequest): Promise<string>;
  /** How far a mapping is. */
  mapState(map: string): Promise<MapState>;
  stopMap(map: string): Promise<void>;
  /** The text of the mapping that a set is. */
  mapping(set: string): AsyncIterable<string>;
  /** Asks it to end; its report comes by `follow`. */
  stop(run: string): Promise<void>;
  /**
   * Until the report is there. A connection that breaks is made again, and told of once.
   * @throws Failure of the coordinator where it refuses, or the reason of the signal
   */
  follow(run: string, watch: RunFollower): Promise<RunReport>;
}

export interface RunFollower {
  readonly onView: (view: RunView) => void;
  readonly onLost: (failure: Failure) => void;
  readonly signal: AbortSignal;
}

export type MapRequest = z.input<typeof mapRequestSchema>;

interface Ask {
  readonly method?: 'GET' | 'POST';
  readonly body?: object;
  readonly signal?: AbortSignal;
}

/** @param url without a slash at its end */
export function coordinatorClient(
  url: string,
  token: string,
  { answerMs, mostBytes }: AnswerLimits = usualLimits,
): CoordinatorClient {
  /** @throws Failure `coordinator-unreachable`, `coordinator-answer`, and what the coordinator refuses with */
  async function ask(path: string, { method = 'GET', body, signal }: Ask = {}): Promise<Response> {
    const init: RequestInit = {
      method,
      // A token goes nowhere else.
      redirect: 'error',
      headers: {
        authorization: `Bearer ${token}`,
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    };
    const response = await fetch(`${url}/v1/${path}`, init).catch((error: unknown) => {
      if (signal?.aborted === true) throw signal.reason;
      throw unreachable(error);
    });
    if (response.ok) return response;
    const refusal = refusalSchema.safeParse(parseEntry(await textOf(response).catch(() => '')));
    if (!refusal.success) throw foreign(`status ${String(response.status)}`);
    const { error } = refusal.data;
    throw new Failure(error.code, {}, { record: error });
  }

  /** @throws Failure `coordinator-unreachable`, `coordinator-answer` */
  async function textOf({ body }: Response): Promise<string> {
    let text = '';
    for await (const part of partsOf(body)) {
      text += part;
      if (text.length > mostBytes) throw foreign('it is too long');
    }
    return text;
  }

  async function* partsOf(body: Response['body']): AsyncGenerator<string> {
    if (!body) return;
    try {
      yield* body.pipeThrough(new TextDecoderStream());
    } catch (error) {
      throw error instanceof Failure ? error : unreachable(error);
    }
  }

  function foreign(reason: string): Failure {
    return new Failure('coordinator-answer', { url, reason });
  }

  function unreachable(error: unknown): Failure {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return new Failure('coordinator-unreachable', { url, reason: reasonOf(cause) }, { cause: error });
  }

  function read<Shape extends z.ZodType>(schema: Shape, value: unknown): z.output<Shape> {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw foreign([issue?.path.join('.'), issue?.message].filter(Boolean).join(': '));
  }

  async function answer<Shape extends z.ZodType>(
    schema: Shape,
    path: string,
    how?: Ask,
  ): Promise<z.output<Shape>> {
    const patience = AbortSignal.timeout(answerMs);
    try {
      const response = await ask(path, { ...how, signal: patience });
      return read(schema, parseEntry(await textOf(response)));
    } catch (thrown) {
      throw patience.aborted ? unreachable(new Error(`no answer within ${String(answerMs)} ms`)) : thrown;
    }
  }

  /** @throws Failure where the connection ends before the report */
  async function followOnce(
    run: string,
    { onView, signal }: Omit<RunFollower, 'onLost'>,
  ): Promise<RunReport> {
    const silence = new AbortController();
    const heard = setTimeout(() => {
      silence.abort(new Failure('coordinator-unreachable', { url, reason: 'it fell silent' }));
    }, SILENCE_MS);
    try {
      const response = await ask(`runs/${run}/events`, { signal: AbortSignal.any([signal, silence.signal]) });
      const { body, headers } = response;
      if (!body || headers.get('content-type')?.startsWith('text/event-stream') !== true)
        throw foreign('it is no stream of events');
      const bytes = body.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform(chunk, controller) {
            heard.refresh();
            controller.enqueue(chunk);
          },
        }),
      );
      const text = bytes.pipeThrough(new TextDecoderStream());
      for await (const { event, data } of text.pipeThrough(
        new EventSourceParserStream({ maxBufferSize: mostBytes }),
      )) {
        if (event === 'report') return read(runReportSchema, parseEntry(data));
        if (event === 'state') onView(read(runViewSchema, parseEntry(data)));
      }
      throw unreachable(new Error('it ended the connection'));
    } catch (thrown) {
      signal.throwIfAborted();
      if (thrown instanceof ParseError) throw foreign(thrown.message);
      throw thrown instanceof Failure ? thrown : unreachable(thrown);
    } finally {
      clearTimeout(heard);
    }
  }

  return {
    async sensors() {
      return (await answer(sensorListSchema, 'sensors')).sensors;
    },

    async runs() {
      return (await answer(runListSchema, `runs?limit=${String(MOST_RUNS)}`)).runs;
    },

    async createRun(plan, settings) {
      const body = { run: randomUUID(), plan, settings };
      for (let attempt = 1; ; attempt += 1) {
        try {
          return (await answer(runCreatedSchema, 'runs', { method: 'POST', body })).run;
        } catch (thrown) {
          // It may have been taken all the same, and is not taken twice.
          if (!(thrown instanceof Failure) || !thrown.retryable || attempt === MOST_ATTEMPTS) throw thrown;
        }
        await sleep(FIRST_PAUSE_MS * 2 ** attempt);
      }
    },

    async createMap(request) {
      const { record } = await answer(mapDetailSchema, 'maps', { method: 'POST', body: request });
      return record.map;
    },

    async mapState(map) {
      return (await answer(mapDetailSchema, `maps/${map}`)).state;
    },

    async stopMap(map) {
      await answer(mapDetailSchema, `maps/${map}/stop`, { method: 'POST' });
    },

    async *mapping(set) {
      yield* partsOf((await ask(`sets/${set}/mapping`)).body);
    },

    async stop(run) {
      await answer(runCreatedSchema, `runs/${run}/stop`, { method: 'POST' });
    },

    async follow(run, watch) {
      let pause = FIRST_PAUSE_MS;
      for (;;) {
        let views = 0;
        const onView = (view: RunView): void => {
          views += 1;
          watch.onView(view);
        };
        try {
          return await followOnce(run, { onView, signal: watch.signal });
        } catch (thrown) {
          if (!(thrown instanceof Failure) || !thrown.retryable) throw thrown;
          if (pause === FIRST_PAUSE_MS) watch.onLost(thrown);
        }
        if (views > 0) pause = FIRST_PAUSE_MS;
        await sleep(pause, undefined, { signal: watch.signal }).catch(() => undefined);
        watch.signal.throwIfAborted();
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      }
    },
  };
}
