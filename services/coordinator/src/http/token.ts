// The bearer token of the API (RFC 6750). How long it takes to refuse one tells nothing about the right one.
import { createHash, timingSafeEqual } from 'node:crypto';
import { Failure } from '@capfleet/shared/errors/failure';

/** @returns the check of an Authorization header; it throws Failure `token-refused` */
export function tokenCheck(token: string): (authorization: string | undefined) => void {
  const wanted = digestOf(token);
  return (authorization) => {
    const [, given] = /^bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
    if (given === undefined || !timingSafeEqual(digestOf(given), wanted)) throw new Failure('token-refused');
  };
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
