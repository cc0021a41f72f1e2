// Text that comes in pieces, as lines.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { linesOf } from '@capfleet/coordinator/domain/lines';

async function linesIn(pieces: Iterable<string>): Promise<string[]> {
  async function* text(): AsyncGenerator<string> {
    yield* pieces;
  }
  const lines: string[] = [];
  for await (const line of linesOf(text())) lines.push(line);
  return lines;
}

describe('lines', () => {
  for (const [pieces, lines] of [
    [[], []],
    [[''], []],
    [['a'], ['a']],
    [['a\n'], ['a']],
    [
      ['a', 'b\nc', '', '\n\n', 'd'],
      ['ab', 'c', '', 'd'],
    ],
    [
      ['\n', '\na\nb'],
      ['', '', 'a', 'b'],
    ],
  ] as const) {
    test(`of ${JSON.stringify(pieces)}`, async () => {
      assert.deepEqual(await linesIn(pieces), lines);
    });
  }

  test('one of very many pieces takes no time that grows with its square', { timeout: 10_000 }, async () => {
    const piece = 'x'.repeat(1024);
    const [line, ...others] = await linesIn(Array.from({ length: 64 * 1024 }, () => piece));
    assert.deepEqual([line?.length, others], [64 * 1024 ** 2, []]);
  });
});
