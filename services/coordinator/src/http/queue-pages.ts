// The pages of the queues, for a browser that has a session. They have a content security policy of their own.
import type { FastifyInstance } from 'fastify';
import { asFailure, Failure } from '@capfleet/shared/errors/failure';
import type { ApiWorld } from './api-world.ts';
import { refuse } from './refusal.ts';
import { hasSession, QUEUES_PATH } from './session.ts';

/** Its styles are set by scripts and in its markup. Fonts from elsewhere, which it asks for, it does not get. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export async function serveQueuePages(
  app: FastifyInstance,
  { board, channel, health, token }: Pick<ApiWorld, 'board' | 'channel' | 'health' | 'token'>,
): Promise<void> {
  await app.register(
    async (pages) => {
      pages.addHook('onRequest', async (request, reply) => {
        try {
          await health.check();
        } catch (unreachable) {
          refuse(asFailure(unreachable), request, reply);
          return reply;
        }
        const isPerson = request.headers.accept?.includes('text/html') === true;
        if (hasSession(request.cookies, token)) {
          if (isPerson) board.show((await channel.registrations()).keys());
          return undefined;
        }
        // A person comes back from where sessions are opened; a script is told.
        if (isPerson) return reply.redirect('/', 303);
        // Not thrown: the board has an error handler of its own.
        refuse(new Failure('token-refused'), request, reply);
        return reply;
      });
      pages.addHook('onSend', async (_request, reply, payload) => {
        reply.header('content-security-policy', POLICY);
        return payload;
      });
      await pages.register(board.pages(QUEUES_PATH));
    },
    { prefix: QUEUES_PATH },
  );
}
