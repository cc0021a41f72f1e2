// The bearer token of the API (RFC 6750). How long it takes to refuse one tells nothing about the right one, and who tries
// one after the other is soon told no more than that. The right one is always taken: behind a proxy all requests come from one
// address, and nobody shall lock out who has to stop a run.
import { createHash, timingSafeEqual } from 'node:crypto';
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Failure } from '@capfleet/shared/errors/failure';

/** Tokens that are refused with a reason, of one address. */
const MOST_REFUSED = 20;
const REFUSED_WITHIN_MS = 60_000;

/** @returns the check of a request; it throws Failure `token-refused` or `token-tries` */
export async function tokenCheck(
  app: FastifyInstance,
  token: string,
): Promise<(request: FastifyRequest) => Promise<void>> {
  await app.register(rateLimit, { global: false });
  const refusals = app.createRateLimit({ max: MOST_REFUSED, timeWindow: REFUSED_WITHIN_MS });
  const wanted = digestOf(token);
  return async (request) => {
    const [, given] = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
    if (given !== undefined && timingSafeEqual(digestOf(given), wanted)) return;
    const counted = await refusals(request);
    if (counted.isAllowed || !counted.isExceeded) throw new Failure('token-refused');
    throw new Failure('token-tries', { seconds: counted.ttlInSeconds });
  };
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
