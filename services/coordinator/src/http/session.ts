// A session of a browser: a cookie that opens the queues' pages, where no header can be sent, for some minutes. It carries its
// own end and proof, so any coordinator with the same token takes it, and none keeps anything.
import { createHmac, timingSafeEqual } from 'node:crypto';
import cookie from '@fastify/cookie';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { FastifyInstance } from 'fastify';
import { sessionSchema } from '@capfleet/shared/contract/api';

export const QUEUES_PATH = '/queues';
const COOKIE = 'capfleet-queues';
const SESSION_MS = 15 * 60_000;

export async function readCookies(app: FastifyInstance): Promise<void> {
  await app.register(cookie);
}

export function sessionRoutes(token: string): FastifyPluginAsyncZod {
  return async (api) => {
    api.post(
      '/session',
      {
        schema: {
          tags: ['service'],
          summary: 'Open the pages of the queues to this browser',
          description:
            'By a cookie that is good for those pages alone, and for some minutes: a browser that goes there sends no token.',
          response: { 201: sessionSchema },
        },
      },
      async (_request, reply) => {
        const expires = Date.now() + SESSION_MS;
        return reply
          .code(201)
          .setCookie(COOKIE, `${String(expires)}.${proofOf(expires, token)}`, {
            path: QUEUES_PATH,
            httpOnly: true,
            sameSite: 'strict',
            secure: 'auto',
            maxAge: SESSION_MS / 1000,
          })
          .send({ expires: new Date(expires).toISOString() });
      },
    );
  };
}

/** @param cookies of a request */
export function hasSession(cookies: Record<string, string | undefined>, token: string): boolean {
  const [text = '', proof = ''] = (cookies[COOKIE] ?? '').split('.');
  const expires = Number(text);
  if (!(expires > Date.now())) return false;
  const [given, wanted] = [Buffer.from(proof), Buffer.from(proofOf(expires, token))];
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function proofOf(expires: number, token: string): string {
  return createHmac('sha256', token)
    .update(`${QUEUES_PATH} until ${String(expires)}`)
    .digest('base64url');
}
