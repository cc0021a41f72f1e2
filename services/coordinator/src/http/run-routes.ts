// Runs over HTTP: asked for, listed, watched, stopped, reported.
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { runIdSchema } from '@capfleet/shared/contract/agent-messages';
import {
  runCourseSchema,
  runCreatedSchema,
  runDetailSchema,
  runListSchema,
  runRequestSchema,
  type RunSettings,
} from '@capfleet/shared/contract/api';
import { runReportSchema } from '@capfleet/shared/contract/report';
import { unseenView } from '@capfleet/shared/contract/run-view';
import { plansIn } from '@capfleet/shared/dataset/plan-file';
import { asFailure, Failure } from '@capfleet/shared/errors/failure';
import { MILLISECOND } from '@capfleet/shared/time/nanos';
import type { KeptRun, RunStore } from '../ports/run-store.ts';
import { listRuns, summarise } from '../usecases/list-runs.ts';
import { newRun, type RunSettings as Settings } from '../usecases/run-request.ts';
import { sightOfRun } from '../usecases/sight-of-run.ts';
import type { ApiWorld } from './api-world.ts';
import { eventsSchema, sendEvents } from './event-stream.ts';

/** A plan has some 300 bytes for each file. */
const PLAN_BYTES = 64 * 1024 ** 2;
const MOST_LISTED = 1000;

const params = z.object({ run: runIdSchema });
const tags = ['runs'];

export function runRoutes({ store, channel, plans, keeper, closing }: ApiWorld): FastifyPluginAsyncZod {
  return async (api) => {
    api.post(
      '/runs',
      {
        bodyLimit: PLAN_BYTES,
        schema: {
          tags,
          summary: 'Ask for a run',
          description:
            'It is kept before the answer comes, and carried through from then on by any coordinator. The same `run` again, with the same request, answers 200 with the run that is there.',
          body: runRequestSchema,
          response: { 200: runCreatedSchema, 201: runCreatedSchema },
        },
      },
      async ({ body }, reply) => {
        const run = body.run ?? randomUUID();
        const document = typeof body.plan === 'string' ? await plans.get(body.plan) : body.plan;
        const shares = plansIn(document, 'the plan');
        const settings = { run, plans: shares, ...settingsOf(body.settings) };
        reply.header('location', `/v1/runs/${run}`);
        if (await store.create(newRun(settings, await channel.now()))) {
          keeper.take(run);
          return reply.code(201).send({ run });
        }
        const kept = await keptAt(store, run);
        if (!kept || !isSameRun(kept, newRun(settings, BigInt(kept.record.created))))
          throw new Failure('run-conflict', { run });
        return reply.code(200).send({ run });
      },
    );

    api.get(
      '/runs',
      {
        schema: {
          tags,
          summary: 'Runs of the last day, the latest first',
          querystring: z.strictObject({
            limit: z.coerce.number().int().min(1).max(MOST_LISTED).default(100),
          }),
          response: { 200: runListSchema },
        },
      },
      async ({ query }) => ({ runs: await listRuns(store, query.limit) }),
    );

    api.get(
      '/runs/:run',
      { schema: { tags, summary: 'Where a run is', params, response: { 200: runDetailSchema } } },
      async ({ params: { run } }) => {
        const [listing, view] = await Promise.all([store.listing(run), store.view(run)]);
        return { ...summarise(listing), view: view ?? unseenView(run, listing.record.sensors) };
      },
    );

    api.get(
      '/runs/:run/events',
      {
        schema: {
          tags,
          summary: 'Follow a run',
          description:
            'Server-sent events. `state`: the whole present state, at once and then at each change, a few times a second at most. `report`: the report, the last event. Comments come while nothing changes. A stream that ends without it does so because nothing is to be seen at present: ask again.',
          params,
          response: { 200: eventsSchema },
        },
      },
      async ({ params: { run } }, reply) => sendEvents(reply, await sightOfRun(store, run), closing) as never,
    );

    api.post(
      '/runs/:run/stop',
      {
        schema: {
          tags,
          summary: 'End a run',
          description: 'Every sensor stops; the report comes. A run that is over stays as it is.',
          params,
          response: { 202: runCreatedSchema },
        },
      },
      async ({ params: { run } }, reply) => {
        await store.listing(run);
        if ((await store.report(run)) === null) await store.askToStop(run);
        return reply.code(202).send({ run });
      },
    );

    api.get(
      '/runs/:run/course',
      {
        schema: {
          tags,
          summary: 'How a run goes over time: packets planned, and packets sent',
          params,
          response: { 200: runCourseSchema },
        },
      },
      async ({ params: { run } }) => store.course(run),
    );

    api.get(
      '/runs/:run/report',
      { schema: { tags, summary: 'The report of a run', params, response: { 200: runReportSchema } } },
      async ({ params: { run } }) => {
        await store.listing(run);
        const report = await store.report(run);
        if (!report) throw new Failure('run-open', { run });
        return report;
      },
    );
  };
}

/** @returns null where nobody can read what is kept */
async function keptAt(store: Pick<RunStore, 'load'>, run: string): Promise<KeptRun | null> {
  try {
    return await store.load(run);
  } catch (thrown) {
    if (asFailure(thrown).code === 'run-unknown') return null;
    throw thrown;
  }
}

/** But for what a coordinator has added since. */
function isSameRun(kept: KeptRun, asked: KeptRun): boolean {
  const plain = ({ record, plans }: KeptRun): unknown =>
    JSON.parse(JSON.stringify({ record: { ...record, validUntil: null }, plans }));
  return isDeepStrictEqual(plain(kept), plain(asked));
}

function settingsOf(settings: RunSettings): Omit<Settings, 'run' | 'plans'> {
  const { sensorTimeout, prepareTimeout, orphanTimeout, rejoin, ...same } = settings;
  const milliseconds = (span: bigint): number => Number(span / MILLISECOND);
  return {
    ...same,
    sensorTimeoutMs: milliseconds(sensorTimeout),
    prepareTimeoutMs: milliseconds(prepareTimeout),
    orphanTimeoutMs: orphanTimeout === null ? null : milliseconds(orphanTimeout),
    rejoinMs: rejoin === null ? null : milliseconds(rejoin),
  };
}
