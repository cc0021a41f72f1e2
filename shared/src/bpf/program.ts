// A classic BPF program as data: what libpcap compiles a filter expression into, and what travels in a plan. A program
// that comes out of a queue may be anything; one that fits the schema ends after at most as many steps as it has
// instructions, touches nothing but its frame and its scratch memory, and divides by no zero. The rules are those of
// the kernel (seccomp and socket filters), whose reference is McCanne and Jacobson, The BSD Packet Filter, 1993.
import { z } from 'zod';

/** As many as the kernel takes. */
const LONGEST_PROGRAM = 4096;
export const SCRATCH_WORDS = 16;
const LONGEST_EXPRESSION = 65_536;

/** Opcodes, as libpcap and the kernel number them. `Constant` means the field `k`, the rest is the register X. */
export const OP = {
  loadWord: 0x20,
  loadHalf: 0x28,
  loadByte: 0x30,
  loadWordBehindX: 0x40,
  loadHalfBehindX: 0x48,
  loadByteBehindX: 0x50,
  loadLength: 0x80,
  loadConstant: 0x00,
  loadScratch: 0x60,
  loadXConstant: 0x01,
  loadXScratch: 0x61,
  loadXLength: 0x81,
  /** X becomes the length of the IPv4 header whose first byte is at k. */
  loadXHeaderLength: 0xb1,
  store: 0x02,
  storeX: 0x03,
  addConstant: 0x04,
  subtractConstant: 0x14,
  multiplyConstant: 0x24,
  divideConstant: 0x34,
  orConstant: 0x44,
  andConstant: 0x54,
  shiftLeftConstant: 0x64,
  shiftRightConstant: 0x74,
  negate: 0x84,
  moduloConstant: 0x94,
  xorConstant: 0xa4,
  add: 0x0c,
  subtract: 0x1c,
  multiply: 0x2c,
  divide: 0x3c,
  or: 0x4c,
  and: 0x5c,
  shiftLeft: 0x6c,
  shiftRight: 0x7c,
  modulo: 0x9c,
  xor: 0xac,
  jump: 0x05,
  jumpEqualConstant: 0x15,
  jumpGreaterConstant: 0x25,
  jumpGreaterEqualConstant: 0x35,
  jumpBitsConstant: 0x45,
  jumpEqual: 0x1d,
  jumpGreater: 0x2d,
  jumpGreaterEqual: 0x3d,
  jumpBits: 0x4d,
  returnConstant: 0x06,
  returnA: 0x16,
  copyToX: 0x07,
  copyToA: 0x87,
} as const;

const known = new Set<number>(Object.values(OP));
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
const divisions = new Set<number>([OP.divideConstant, OP.moduloConstant]);
const shifts = new Set<number>([OP.shiftLeftConstant, OP.shiftRightConstant]);

export const bpfInstructionSchema = z.strictObject({
  code: z.int().min(0).max(0xffff),
  /** Instructions that a conditional jump skips where it holds, and where not. */
  jt: z.int().min(0).max(0xff),
  jf: z.int().min(0).max(0xff),
  k: z.int().min(0).max(0xffff_ffff),
});

export const bpfProgramSchema = z
  .array(bpfInstructionSchema)
  .min(1)
  .max(LONGEST_PROGRAM)
  .superRefine((program, context) => {
    const message = whyUnsound(program);
    if (message !== null) context.addIssue({ code: 'custom', message });
  });

/** Which frames go out: as a person wrote it, and as it is applied. */
export const frameFilterSchema = z.strictObject({
  expression: z.string().max(LONGEST_EXPRESSION),
  program: bpfProgramSchema,
});

export type BpfInstruction = z.infer<typeof bpfInstructionSchema>;
export type BpfProgram = readonly BpfInstruction[];
export type FrameFilter = z.infer<typeof frameFilterSchema>;

/** What makes the program one that must not be run; null where nothing does. */
export function whyUnsound(program: BpfProgram): string | null {
  const last = program.at(-1);
  if (!last || program.length > LONGEST_PROGRAM) {
    return `a program has 1 to ${String(LONGEST_PROGRAM)} instructions, not ${String(program.length)}`;
  }
  if (last.code !== OP.returnConstant && last.code !== OP.returnA) return 'the last instruction is no return';
  for (const [at, { code, jt, jf, k }] of program.entries()) {
    const refused = (why: string): string => `instruction ${String(at)} ${why}`;
    if (!known.has(code)) return refused(`has no known code: ${String(code)}`);
    const farthest = code === OP.jump ? k : conditional.has(code) ? Math.max(jt, jf) : 0;
    if (at + 1 + farthest > program.length - 1 && at < program.length - 1)
      return refused('jumps out of the program, or backwards');
    if (ofScratch.has(code) && k >= SCRATCH_WORDS) return refused('names no word of the scratch memory');
    if (divisions.has(code) && k === 0) return refused('divides by zero');
    if (shifts.has(code) && k >= 32) return refused('shifts by more than a word');
  }
  return null;
}
