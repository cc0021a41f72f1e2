// Runs in Redis: records, plans and reports as keys that expire, holds as keys that their holder renews.
import { courseSchema, plannedRateSchema } from '@capfleet/shared/contract/api';
import { runReportSchema, type RunReport } from '@capfleet/shared/contract/report';
import { toSensorsSchema } from '@capfleet/shared/contract/agent-messages';
import {
  fromSensorsKey,
  openRunsKey,
  RUN_KEYS_TTL_SECONDS,
  runCourseKey,
  runKey,
  runOutcomeKey,
  runOwnerKey,
  runPlanKey,
  runPlannedKey,
  runReportKey,
  runsKey,
  runViewKey,
  sensorLeaseKey,
  toSensorsKey,
} from '@capfleet/shared/contract/keys';
import { runRecordSchema, type RunRecord } from '@capfleet/shared/contract/run-record';
import { outcomeOf, runOutcomeSchema, runViewSchema, type RunView } from '@capfleet/shared/contract/run-view';
import { sensorPlanSchema } from '@capfleet/shared/dataset/replay-plan';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Logger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { parseEntry, throwRefused } from '@capfleet/shared/redis/stream';
import { plannedRate } from '../domain/planned-rate.ts';
import { alongCourse, closeCourse, type Course } from '../domain/run-course.ts';
import type { KeptRun, RunListing, RunStore, RunStory } from '../ports/run-store.ts';
import { redisHolds, type Holdable } from './holds.ts';

/** KEYS: run, lists, plans and what else is kept; ARGV: 'new' or '', id, now in ms, the oldest listed in ms, seconds to keep, texts. */
const KEEP = `
if ARGV[1] == 'new' and redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
for index = 2, 3 do
  redis.call('ZREMRANGEBYSCORE', KEYS[index], 0, ARGV[4])
  redis.call('ZADD', KEYS[index], ARGV[3], ARGV[2])
end
redis.call('SET', KEYS[1], ARGV[6], 'EX', ARGV[5])
for index = 4, #KEYS do redis.call('SET', KEYS[index], ARGV[index + 3], 'EX', ARGV[5]) end
return 1`;

/** @param holder differs for each coordinator */
export function redisRunStore(redis: string, holder: string, log: Logger): RunStore {
  const client = connect(redis, 'coordinator-runs', log);
  const holds = redisHolds(client, holder);
  const holdable = (run: string, leased: readonly string[], sensors = leased): Holdable => ({
    id: run,
    owner: runOwnerKey(run),
    leases: leased.map(sensorLeaseKey),
    lists: [runsKey, openRunsKey],
    kept: [
      ...[runKey, runViewKey, runPlannedKey, runCourseKey, toSensorsKey, fromSensorsKey].map((key) =>
        key(run),
      ),
      ...sensors.map((sensor) => runPlanKey(run, sensor)),
    ],
  });
  const release: RunStore['release'] = (run, sensors) => {
    courses.delete(run);
    return holds.release(holdable(run, sensors));
  };
  /** Null also for what is no text, whatever a stranger put there. */
  const textAt = async (key: string): Promise<string | null> => (await client.mget(key))[0] ?? null;
  const recordOf = (text: string | null): RunRecord | null =>
    runRecordSchema.safeParse(parseEntry(text)).data ?? null;

  async function viewOf(run: string): Promise<RunView | null> {
    return runViewSchema.safeParse(parseEntry(await textAt(runViewKey(run)))).data ?? null;
  }

  /** Of the runs that this process carries through. */
  const courses = new Map<string, Course>();

  async function courseOf(run: string): Promise<Course> {
    return courseSchema.safeParse(parseEntry(await textAt(runCourseKey(run)))).data ?? [];
  }

  async function reportOf(run: string): Promise<RunReport | null> {
    return runReportSchema.safeParse(parseEntry(await textAt(runReportKey(run)))).data ?? null;
  }

  async function listed(ids: readonly string[]): Promise<RunListing[]> {
    if (ids.length === 0) return [];
    const [records, owners, outcomes] = await Promise.all(
      [runKey, runOwnerKey, runOutcomeKey].map((key) => client.mget(ids.map(key))),
    );
    const listings = ids.flatMap((_, index) => {
      const record = recordOf(records?.[index] ?? null);
      const outcome = runOutcomeSchema.safeParse(parseEntry(outcomes?.[index])).data ?? null;
      return record ? [{ record, isHeld: owners?.[index] != null, outcome, view: null }] : [];
    });
    // Those of runs that are over are many, and long.
    return Promise.all(
      listings.map(async (listing) =>
        listing.isHeld && listing.outcome === null
          ? { ...listing, view: await viewOf(listing.record.run) }
          : listing,
      ),
    );
  }

  function keep({ record, plans }: KeptRun, which: 'new' | ''): Promise<unknown> {
    const { run } = record;
    const texts: [key: string, value: unknown][] = [
      [runPlannedKey(run), plannedRate(plans)],
      ...plans.map((plan): [string, unknown] => [runPlanKey(run, plan.sensor), plan]),
    ];
    const keys = [runKey(run), runsKey, openRunsKey, ...texts.map(([key]) => key)];
    const now = Date.now();
    const times = [now, now - RUN_KEYS_TTL_SECONDS * 1000, RUN_KEYS_TTL_SECONDS];
    const values = [record, ...texts.map(([, value]) => value)].map((value) => JSON.stringify(value));
    return client.eval(KEEP, keys.length, ...keys, which, run, ...times, ...values);
  }

  return {
    release,

    async hold(run, sensors) {
      const taken = await holds.take(holdable(run, sensors));
      if (taken === null) return { held: true };
      if (taken === 'owner') return { held: false, by: 'coordinator' };
      return { held: false, by: 'run', sensor: sensors[taken.lease] ?? '', run: taken.of };
    },

    async renew(run, leased, sensors) {
      return (await holds.take(holdable(run, leased, sensors))) === null;
    },

    async create(kept) {
      return (await keep(kept, 'new')) === 1;
    },

    async keep(kept) {
      await keep(kept, '');
    },

    async load(run) {
      const record = recordOf(await textAt(runKey(run)));
      if (!record) throw new Failure('run-unknown', { run });
      const texts = await client.mget(record.sensors.map((sensor) => runPlanKey(run, sensor)));
      const plans = texts.flatMap((text) => sensorPlanSchema.safeParse(parseEntry(text)).data ?? []);
      if (plans.length !== record.sensors.length) throw new Failure('run-unknown', { run });
      return { record, plans };
    },

    async story(run) {
      let commit: RunStory['commit'] = null;
      let isOver = false;
      for (const [, fields] of await client.xrange(toSensorsKey(run), '-', '+')) {
        const said = toSensorsSchema.safeParse(parseEntry(fields[1])).data;
        if (said?.type === 'commit') commit = { start: BigInt(said.start), clock: said.clock };
        else if (said?.type === 'cancel' || said?.type === 'stop') isOver = true;
      }
      return { commit, isOver };
    },

    async askToStop(run) {
      const key = toSensorsKey(run);
      const replies = await client
        .multi()
        .xadd(key, '*', 'message', JSON.stringify({ type: 'stop' }))
        .expire(key, RUN_KEYS_TTL_SECONDS)
        .exec();
      throwRefused(replies);
    },

    async finish(run, sensors, report) {
      const kept = await client
        .multi()
        .set(runReportKey(run), JSON.stringify(report), 'EX', RUN_KEYS_TTL_SECONDS)
        .set(runOutcomeKey(run), JSON.stringify(outcomeOf(report)), 'EX', RUN_KEYS_TTL_SECONDS)
        .zrem(openRunsKey, run)
        .exec();
      throwRefused(kept);
      await release(run, sensors);
    },

    report: reportOf,

    async show(view) {
      const { run } = view;
      const all = client.multi().set(runViewKey(run), JSON.stringify(view), 'EX', RUN_KEYS_TTL_SECONDS);
      const before = courses.get(run) ?? (await courseOf(run));
      const course = alongCourse(before, view);
      courses.set(run, course);
      if (course !== before) all.set(runCourseKey(run), JSON.stringify(course), 'EX', RUN_KEYS_TTL_SECONDS);
      throwRefused(await all.exec());
    },

    async course(run) {
      const [found, planned, course, report] = await Promise.all([
        client.exists(runKey(run)),
        textAt(runPlannedKey(run)),
        courseOf(run),
        reportOf(run),
      ]);
      if (found === 0) throw new Failure('run-unknown', { run });
      return {
        run,
        planned: plannedRateSchema.safeParse(parseEntry(planned)).data ?? null,
        sensors: report ? closeCourse(course, report) : course,
      };
    },

    view: viewOf,

    async list(most) {
      return listed(await client.zrevrange(runsKey, 0, most - 1));
    },

    async listing(run) {
      const [found] = await listed([run]);
      if (!found) throw new Failure('run-unknown', { run });
      return found;
    },

    async adrift() {
      const oldest = Date.now() - RUN_KEYS_TTL_SECONDS * 1000;
      const ids = await client.zrange(openRunsKey, oldest, '+inf', 'BYSCORE');
      if (ids.length === 0) return [];
      const owners = await client.mget(ids.map(runOwnerKey));
      return ids.filter((_, index) => owners[index] === null);
    },

    async isHeld(run) {
      return (await client.exists(runOwnerKey(run))) === 1;
    },

    close() {
      client.disconnect();
      return Promise.resolve();
    },
  };
}
