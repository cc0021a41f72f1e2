// Plan documents in Redis, and one hash of what is known of those that do not expire: nothing is left of the others.
import { planInfoSchema, type PlanInfo } from '@capfleet/shared/contract/api';
import { planKey, plansKey } from '@capfleet/shared/contract/keys';
import { planDocumentSchema } from '@capfleet/shared/dataset/plan-file';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Logger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { parseEntry, throwRefused } from '@capfleet/shared/redis/stream';
import { MILLISECOND } from '@capfleet/shared/time/nanos';
import type { PlanStore } from '../ports/plan-store.ts';

export function redisPlanStore(redis: string, log: Logger): PlanStore {
  const client = connect(redis, 'coordinator-plans', log);
  return {
    async put(name, document, keepFor) {
      const [key, text] = [planKey(name), JSON.stringify(document)];
      if (keepFor !== null) {
        const ms = String(keepFor / MILLISECOND);
        throwRefused(await client.multi().set(key, text, 'PX', ms).hdel(plansKey, name).exec());
        return;
      }
      const { set, sensors } = document;
      const kept = new Date().toISOString();
      const info: PlanInfo = { plan: name, set, sensors: sensors.map(({ sensor }) => sensor), kept };
      const all = client.multi().set(key, text).hset(plansKey, name, JSON.stringify(info));
      throwRefused(await all.exec());
    },

    async list() {
      const infos = (await client.hvals(plansKey)).flatMap(
        (text) => planInfoSchema.safeParse(parseEntry(text)).data ?? [],
      );
      return infos.sort((a, b) => (a.plan < b.plan ? -1 : 1));
    },

    async get(name) {
      const document = planDocumentSchema.safeParse(parseEntry(await client.get(planKey(name)))).data;
      if (!document) throw new Failure('plan-unknown', { plan: name });
      return document;
    },

    async remove(name) {
      const replies = await client.multi().del(planKey(name)).hdel(plansKey, name).exec();
      throwRefused(replies);
      if (replies?.[0]?.[1] !== 1) throw new Failure('plan-unknown', { plan: name });
    },

    close() {
      client.disconnect();
    },
  };
}
