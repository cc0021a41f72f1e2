// Runs a classic BPF program over frames. It expects one that its schema has let through (see program.ts): then every
// run ends, and a load from outside of the frame rejects it, as does a division by zero, as in the kernel. Nothing is
// allocated per frame.
import { OP, SCRATCH_WORDS, type BpfProgram } from './program.ts';

export class BpfFilter {
  readonly #codes: Uint16Array;
  readonly #ifTrue: Uint8Array;
  readonly #ifFalse: Uint8Array;
  readonly #constants: Uint32Array;
  readonly #scratch = new Uint32Array(SCRATCH_WORDS);
  readonly #usesScratch: boolean;

  constructor(program: BpfProgram) {
    this.#codes = Uint16Array.from(program, ({ code }) => code);
    this.#ifTrue = Uint8Array.from(program, ({ jt }) => jt);
    this.#ifFalse = Uint8Array.from(program, ({ jf }) => jf);
    this.#constants = Uint32Array.from(program, ({ k }) => k);
    this.#usesScratch = program.some(({ code }) => code === OP.loadScratch || code === OP.loadXScratch);
  }

  /** Whether the program accepts the frame that lies in `bytes` from `start` on; its length is both that of the wire. */
  matches(bytes: Uint8Array, start: number, length: number): boolean {
    return this.run(bytes, start, length) !== 0;
  }

  /** What the program returns: 0 rejects. */
  run(bytes: Uint8Array, start: number, length: number): number {
    const codes = this.#codes;
    const ifTrue = this.#ifTrue;
    const ifFalse = this.#ifFalse;
    const constants = this.#constants;
    const scratch = this.#scratch;
    if (this.#usesScratch) scratch.fill(0);
    // Both unsigned, of 32 bits.
    let a = 0;
    let x = 0;
    for (let at = 0; at < codes.length; at += 1) {
      const k = constants[at]!;
      switch (codes[at]) {
        case OP.loadWord:
          if (k + 4 > length) return 0;
          a = wordAt(bytes, start + k);
          break;
        case OP.loadHalf:
          if (k + 2 > length) return 0;
          a = halfAt(bytes, start + k);
          break;
        case OP.loadByte:
          if (k >= length) return 0;
          a = bytes[start + k]!;
          break;
        case OP.loadWordBehindX:
          if (x + k + 4 > length) return 0;
          a = wordAt(bytes, start + x + k);
          break;
        case OP.loadHalfBehindX:
          if (x + k + 2 > length) return 0;
          a = halfAt(bytes, start + x + k);
          break;
        case OP.loadByteBehindX:
          if (x + k >= length) return 0;
          a = bytes[start + x + k]!;
          break;
        case OP.loadLength:
          a = length;
          break;
        case OP.loadConstant:
          a = k;
          break;
        case OP.loadScratch:
          a = scratch[k]!;
          break;
        case OP.loadXConstant:
          x = k;
          break;
        case OP.loadXScratch:
          x = scratch[k]!;
          break;
        case OP.loadXLength:
          x = length;
          break;
        case OP.loadXHeaderLength:
          if (k >= length) return 0;
          x = (bytes[start + k]! & 0xf) << 2;
          break;
        case OP.store:
          scratch[k] = a;
          break;
        case OP.storeX:
          scratch[k] = x;
          break;
        case OP.addConstant:
          a = (a + k) >>> 0;
          break;
        case OP.subtractConstant:
          a = (a - k) >>> 0;
          break;
        case OP.multiplyConstant:
          a = Math.imul(a, k) >>> 0;
          break;
        case OP.divideConstant:
          a = Math.floor(a / k);
          break;
        case OP.moduloConstant:
          a %= k;
          break;
        case OP.orConstant:
          a = (a | k) >>> 0;
          break;
        case OP.andConstant:
          a = (a & k) >>> 0;
          break;
        case OP.xorConstant:
          a = (a ^ k) >>> 0;
          break;
        case OP.shiftLeftConstant:
          a = (a << k) >>> 0;
          break;
        case OP.shiftRightConstant:
          a >>>= k;
          break;
        case OP.negate:
          a = -a >>> 0;
          break;
        case OP.add:
          a = (a + x) >>> 0;
          break;
        case OP.subtract:
          a = (a - x) >>> 0;
          break;
        case OP.multiply:
          a = Math.imul(a, x) >>> 0;
          break;
        case OP.divide:
          if (x === 0) return 0;
          a = Math.floor(a / x);
          break;
        case OP.modulo:
          if (x === 0) return 0;
          a %= x;
          break;
        case OP.or:
          a = (a | x) >>> 0;
          break;
        case OP.and:
          a = (a & x) >>> 0;
          break;
        case OP.xor:
          a = (a ^ x) >>> 0;
          break;
        case OP.shiftLeft:
          a = x < 32 ? (a << x) >>> 0 : 0;
          break;
        case OP.shiftRight:
          a = x < 32 ? a >>> x : 0;
          break;
        case OP.jump:
          at += k;
          break;
        case OP.jumpEqualConstant:
          at += a === k ? ifTrue[at]! : ifFalse[at]!;
          break;
        case OP.jumpGreaterConstant:
          at += a > k ? ifTrue[at]! : ifFalse[at]!;
          break;
        case OP.jumpGreaterEqualConstant:
          at += a >= k ? ifTrue[at]! : ifFalse[at]!;
          break;
        case OP.jumpBitsConstant:
          at += (a & k) !== 0 ? ifTrue[at]! : ifFalse[at]!;
          break;
        case OP.jumpEqual:
          at += a === x ? ifTrue[at]! : ifFalse[at]!;
          break;
        case OP.jumpGreater:
          at += a > x ? ifTrue[at]! : ifFalse[at]!;
          break;
        case OP.jumpGreaterEqual:
          at += a >= x ? ifTrue[at]! : ifFalse[at]!;
          break;
        case OP.jumpBits:
          at += (a & x) !== 0 ? ifTrue[at]! : ifFalse[at]!;
          break;
        case OP.returnConstant:
          return k;
        case OP.returnA:
          return a;
        case OP.copyToX:
          x = a;
          break;
        case OP.copyToA:
          a = x;
          break;
        default:
          return 0;
      }
    }
    return 0;
  }
}

function halfAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((halfAt(bytes, at) << 16) | halfAt(bytes, at + 2)) >>> 0;
}
