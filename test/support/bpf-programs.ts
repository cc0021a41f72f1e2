/** Random BPF programs that are sound, for properties (fast-check). */
import fc from 'fast-check';
import { OP, SCRATCH_WORDS, type BpfInstruction, type BpfProgram } from '@capfleet/shared/bpf/program';

const codes = Object.values(OP);
const conditional = new Set<number>([
  OP.jumpEqualConstant,
  OP.jumpGreaterConstant,
  OP.jumpGreaterEqualConstant,
  OP.jumpBitsConstant,
  OP.jumpEqual,
  OP.jumpGreater,
  OP.jumpGreaterEqual,
  OP.jumpBits,
]);
const ofScratch = new Set<number>([OP.loadScratch, OP.loadXScratch, OP.store, OP.storeX]);

/** Offsets that hit a small frame, numbers at the edges, and any others. */
const constant = fc.oneof(
  fc.nat(80),
  fc.constantFrom(0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_fffc, 0xffff),
  fc.nat(0xffff_ffff),
);

export const soundProgram: fc.Arbitrary<BpfProgram> = fc
  .array(fc.record({ code: fc.constantFrom(...codes), jt: fc.nat(0xff), jf: fc.nat(0xff), k: constant }), {
    maxLength: 60,
  })
  .map((drawn) => {
    const length = drawn.length + 1;
    const body = drawn.map(({ code, jt, jf, k }, at): BpfInstruction => {
      const skippable = length - at - 1;
      if (code === OP.jump) return { code, jt: 0, jf: 0, k: k % skippable };
      if (conditional.has(code)) return { code, jt: jt % skippable, jf: jf % skippable, k };
      return { code, jt: 0, jf: 0, k: fit(code, k) };
    });
    return [...filledScratch, ...body, { code: OP.returnA, jt: 0, jf: 0, k: 0 }];
  });

function fit(code: number, k: number): number {
  if (ofScratch.has(code)) return k % SCRATCH_WORDS;
  if (code === OP.divideConstant || code === OP.moduloConstant) return Math.max(1, k);
  if (code === OP.shiftLeftConstant || code === OP.shiftRightConstant) return k % 32;
  return k;
}

/** libpcap leaves undefined what a program loads that it has not stored. */
const filledScratch: BpfInstruction[] = [
  { code: OP.loadConstant, jt: 0, jf: 0, k: 0x1234_5678 },
  ...Array.from({ length: SCRATCH_WORDS }, (_, k) => ({ code: OP.store, jt: 0, jf: 0, k })),
];
