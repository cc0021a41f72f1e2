// The body of a request as lines, while it comes.
import { Failure } from '@capfleet/shared/errors/failure';
import { linesOf } from '../domain/lines.ts';

/** @throws Failure `request-too-large`, or what reading throws: a body that breaks off is none */
export function bodyLines(body: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<string> {
  return linesOf(decoded(body, limit));
}

async function* decoded(body: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw new Failure('request-too-large', { limit });
    yield decoder.decode(chunk, { stream: true });
  }
  yield decoder.decode();
}
