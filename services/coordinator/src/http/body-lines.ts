// The body of a request as lines, while it comes; only the line at hand is held.
import { Failure } from '@capfleet/shared/errors/failure';

/** @throws Failure `request-too-large`, or what reading throws: a body that breaks off is none */
export async function* bodyLines(body: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw new Failure('request-too-large', { limit });
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}
