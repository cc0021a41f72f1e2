import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BpfFilter } from '@capfleet/shared/bpf/filter';
import { OP, type BpfProgram } from '@capfleet/shared/bpf/program';
import { askLibpcap } from '../../../support/bpf-oracle.ts';
import { soundProgram } from '../../../support/bpf-programs.ts';
import { patterned } from '../../../support/patterned.ts';
import { tempDir } from '../../../support/temp-dir.ts';

const op = (code: number, k = 0, jt = 0, jf = 0): BpfProgram[number] => ({ code, jt, jf, k });

/** Accepts, unless one of the instructions rejects. */
function passes(frame: Uint8Array, ...program: BpfProgram): boolean {
  return new BpfFilter([...program, op(OP.returnConstant, 1)]).matches(frame, 0, frame.length);
}

describe('a filter', () => {
  test('returns what libpcap returns, for any sound program and frame', async (t) => {
    const frames = fc.array(fc.uint8Array({ maxLength: 90 }), { minLength: 1, maxLength: 4 });
    const cases = fc.sample(fc.record({ program: soundProgram, frames }), {
      numRuns: 4000,
      seed: 20_261_126,
    });
    const said = askLibpcap(await tempDir(t), cases);
    if (typeof said === 'string') {
      t.skip(said);
      return;
    }
    let accepted = 0;
    for (const [i, { program, frames }] of cases.entries()) {
      const filter = new BpfFilter(program);
      for (const [j, frame] of frames.entries()) {
        const verdict = filter.run(frame, 0, frame.length);
        assert.equal(verdict, said[i]![j], JSON.stringify({ program, frame: [...frame] }));
        if (verdict !== 0) accepted += 1;
      }
    }
    assert.ok(accepted > 500, `only ${accepted} runs came to an end that says something`);
  });

  test('sees its frame and nothing around it', () => {
    fc.assert(
      fc.property(
        soundProgram,
        fc.uint8Array({ maxLength: 90 }),
        fc.uint8Array({ minLength: 100, maxLength: 100 }),
        fc.nat(100),
        (program, frame, around, start) => {
          const filter = new BpfFilter(program);
          const bytes = Buffer.concat([around, around]);
          bytes.set(frame, start);
          assert.equal(filter.run(bytes, start, frame.length), filter.run(frame, 0, frame.length));
        },
      ),
    );
  });

  test('rejects a frame that a load goes beyond, by one byte and by billions', () => {
    const frame = patterned(60);
    for (const [code, size] of [
      [OP.loadWord, 4],
      [OP.loadHalf, 2],
      [OP.loadByte, 1],
      [OP.loadXHeaderLength, 1],
    ] as const) {
      assert.equal(passes(frame, op(code, 60 - size)), true);
      for (const k of [60 - size + 1, 60, 61, 0x7fff_ffff, 0x8000_0000, 0xffff_f000, 0xffff_ffff])
        assert.equal(passes(frame, op(code, k)), false, `${code} ${k}`);
    }
    for (const [code, size] of [
      [OP.loadWordBehindX, 4],
      [OP.loadHalfBehindX, 2],
      [OP.loadByteBehindX, 1],
    ] as const) {
      assert.equal(passes(frame, op(OP.loadXConstant, 30), op(code, 30 - size)), true);
      assert.equal(passes(frame, op(OP.loadXConstant, 30), op(code, 30 - size + 1)), false);
      // The sum does not wrap.
      assert.equal(passes(frame, op(OP.loadXConstant, 0xffff_ffff), op(code, 1)), false);
    }
  });

  test('rejects where it would divide by zero', () => {
    for (const code of [OP.divide, OP.modulo]) {
      assert.equal(passes(patterned(60), op(OP.loadConstant, 7), op(code)), false);
      assert.equal(passes(patterned(60), op(OP.loadXConstant, 2), op(code)), true);
    }
  });

  test('begins each frame with nothing in its scratch memory', () => {
    const filter = new BpfFilter([
      op(OP.loadScratch, 3),
      op(OP.jumpEqualConstant, 0, 0, 1),
      op(OP.returnConstant, 0),
      op(OP.loadConstant, 9),
      op(OP.store, 3),
      op(OP.returnConstant, 1),
    ]);
    for (let i = 0; i < 3; i += 1) assert.equal(filter.matches(patterned(60), 0, 60), false);
  });

  test('of the longest program ends soon', () => {
    const program = [...Array.from({ length: 4095 }, () => op(OP.loadWord, 56)), op(OP.returnConstant, 1)];
    const filter = new BpfFilter(program);
    const started = performance.now();
    for (let i = 0; i < 1000; i += 1) assert.ok(filter.matches(patterned(60), 0, 60));
    assert.ok(performance.now() - started < 5000);
  });
});
