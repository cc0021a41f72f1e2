import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bpfProgramSchema, frameFilterSchema, OP, whyUnsound } from '@capfleet/shared/bpf/program';
import { soundProgram } from '../../../support/bpf-programs.ts';

const op = (code: number, k = 0, jt = 0, jf = 0): { code: number; jt: number; jf: number; k: number } => ({
  code,
  jt,
  jf,
  k,
});
const accept = op(OP.returnConstant, 1);

describe('a BPF program out of a queue', () => {
  const refused: [what: string, program: unknown, why: RegExp][] = [
    ['nothing', [], /too small|>=1/i],
    ['no array', { length: 1 }, /array/],
    ['more instructions than the kernel takes', Array(4097).fill(accept), /<=4096|too big/i],
    ['no return at its end', [accept, op(OP.loadLength)], /the last instruction is no return/],
    ['a code that there is not', [op(0xffff), accept], /instruction 0 has no known code/],
    ['the return of X, which the kernel does not know', [op(0x0e)], /the last instruction is no return/],
    ['a jump right behind its end', [op(OP.jump, 1), accept], /instruction 0 jumps out of the program/],
    [
      'a jump backwards',
      [accept, op(OP.jump, 0xffff_fffe), accept],
      /instruction 1 jumps out .* or backwards/,
    ],
    ['a jump out where a condition holds', [op(OP.jumpEqual, 0, 1, 0), accept], /instruction 0 jumps/],
    ['a jump out where it does not', [op(OP.jumpBitsConstant, 0, 0, 255), accept], /instruction 0 jumps/],
    ['a word of scratch memory that there is not', [op(OP.store, 16), accept], /scratch/],
    ['a division by zero', [op(OP.divideConstant), accept], /divides by zero/],
    ['a remainder of zero', [op(OP.moduloConstant), accept], /divides by zero/],
    ['a shift by a word', [op(OP.shiftLeftConstant, 32), accept], /shifts/],
    ['a negative constant', [op(OP.loadConstant, -1), accept], /k|>=0/],
    ['a fraction', [op(OP.loadConstant, 0.5), accept], /int/],
    ['a constant of more than a word', [op(OP.loadConstant, 2 ** 32), accept], /k|<=/],
    ['fields of its own', [{ ...accept, more: 1 }], /more/],
  ];
  for (const [what, program, why] of refused) {
    test(`with ${what} is refused`, () => {
      const { error } = bpfProgramSchema.safeParse(program);
      assert.match(error?.message ?? 'it was let through', why);
    });
  }

  test('of the longest length is let through', () => {
    const program = Array.from({ length: 4096 }, () => accept);
    assert.deepEqual(frameFilterSchema.parse({ expression: '', program }).program, program);
  });

  test('that jumps to its very end is let through', () => {
    assert.equal(whyUnsound([op(OP.jump, 0), op(OP.jumpEqualConstant, 5, 0, 1), accept, accept]), null);
  });

  test('that is sound is let through, whatever it is', () => {
    fc.assert(fc.property(soundProgram, (program) => whyUnsound(program) === null));
  });
});
