// Data sets over HTTP: mappings as `capfleet map` writes them, streamed in and out.
import { Readable } from 'node:stream';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  documentNameSchema,
  setInfoSchema,
  setListSchema,
  setTimelineSchema,
  timelineQuerySchema,
} from '@capfleet/shared/contract/api';
import { coarsen } from '../domain/set-timeline.ts';
import type { ApiWorld } from './api-world.ts';
import { bodyLines } from './body-lines.ts';

/** A mapping has some 700 bytes for each file. */
const MAPPING_BYTES = 1024 ** 3;

const params = z.object({ set: documentNameSchema });
const tags = ['sets'];
const mapping = { description: 'The mapping', content: { 'application/json': { schema: z.unknown() } } };

export function setRoutes({ sets }: Pick<ApiWorld, 'sets'>): FastifyPluginAsyncZod {
  return async (api) => {
    // A mapping is read as it comes, by the route itself.
    api.removeContentTypeParser('application/json');
    api.addContentTypeParser('application/json', { bodyLimit: MAPPING_BYTES }, (_request, body, done) => {
      done(null, body);
    });

    api.put(
      '/sets/:set',
      {
        bodyLimit: MAPPING_BYTES,
        schema: {
          tags,
          summary: 'Keep a mapping under a name',
          description:
            'As `capfleet map` or GopherCap writes it; in the place of what has the name, once it is whole.',
          params,
          body: z
            .custom<Readable>((body) => body instanceof Readable, 'a mapping is needed')
            .meta({ type: 'object' }),
          response: { 200: setInfoSchema },
        },
      },
      async ({ params: { set }, body }) => sets.put(set, bodyLines(body, MAPPING_BYTES)),
    );

    api.get(
      '/sets',
      { schema: { tags, summary: 'The sets that are kept, by name', response: { 200: setListSchema } } },
      async () => ({ sets: [...(await sets.list())] }),
    );

    api.get(
      '/sets/:set',
      { schema: { tags, summary: 'What is known of a set', params, response: { 200: setInfoSchema } } },
      async ({ params: { set } }) => sets.info(set),
    );

    api.get(
      '/sets/:set/timeline',
      {
        schema: {
          tags,
          summary: 'How a set lies in time: its lanes, their pauses and overlaps, packets over time',
          description:
            'A lane is what one capture thread wrote. The answer is of the same size for any set; `buckets` and `lanes` say how fine it is at most.',
          params,
          querystring: timelineQuerySchema,
          response: { 200: setTimelineSchema },
        },
      },
      async ({ params: { set }, query: { lanes, buckets } }) => {
        const { info, picture } = await sets.timeline(set);
        return { set, kept: info.kept, ...coarsen(picture, lanes, buckets) };
      },
    );

    api.get(
      '/sets/:set/mapping',
      {
        schema: { tags, summary: 'The mapping of a set, as it was sent', params, response: { 200: mapping } },
      },
      async ({ params: { set } }, reply) => {
        const text = asText(await sets.lines(set));
        return reply.type('application/json').send(Readable.from(text, { objectMode: false }));
      },
    );

    api.delete(
      '/sets/:set',
      { schema: { tags, summary: 'Forget a set', params, response: { 204: z.undefined() } } },
      async ({ params: { set } }, reply) => {
        await sets.remove(set);
        return reply.code(204).send();
      },
    );
  };
}

async function* asText(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${line}\n`;
}
