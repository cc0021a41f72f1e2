// Plans over HTTP: who plays what of a set that is kept, made and kept for runs.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  documentNameSchema,
  planAnswerSchema,
  planListSchema,
  planRequestSchema,
  planSummarySchema,
} from '@capfleet/shared/contract/api';
import { planDocumentSchema } from '@capfleet/shared/dataset/plan-file';
import { summarisePlan } from '../domain/plan-summary.ts';
import { planSet } from '../usecases/plan-set.ts';
import type { ApiWorld } from './api-world.ts';

const params = z.object({ plan: documentNameSchema });
const tags = ['plans'];

export function planRoutes({ sets, plans }: Pick<ApiWorld, 'sets' | 'plans'>): FastifyPluginAsyncZod {
  return async (api) => {
    api.post(
      '/plans',
      {
        schema: {
          tags,
          summary: 'Plan a set, and keep the plan under a name',
          description:
            'In the place of what has the name. A run names it, or carries the document. The answer is the plan, or what it comes to, which is of the same size for any set.',
          querystring: planAnswerSchema,
          body: planRequestSchema,
          response: { 201: z.union([planDocumentSchema, planSummarySchema]) },
        },
      },
      async ({ body, query }, reply) => {
        const document = await planSet(sets, body);
        await plans.put(body.plan, document, body.keepFor);
        return reply
          .code(201)
          .header('location', `/v1/plans/${body.plan}`)
          .send(query.answer === 'plan' ? document : summarisePlan(body.plan, document));
      },
    );

    api.get(
      '/plans',
      {
        schema: {
          tags,
          summary: 'The plans that are kept until they are deleted, by name',
          response: { 200: planListSchema },
        },
      },
      async () => ({ plans: [...(await plans.list())] }),
    );

    api.get(
      '/plans/:plan',
      { schema: { tags, summary: 'A plan', params, response: { 200: planDocumentSchema } } },
      async ({ params: { plan } }) => plans.get(plan),
    );

    api.delete(
      '/plans/:plan',
      { schema: { tags, summary: 'Forget a plan', params, response: { 204: z.undefined() } } },
      async ({ params: { plan } }, reply) => {
        await plans.remove(plan);
        return reply.code(204).send();
      },
    );
  };
}
