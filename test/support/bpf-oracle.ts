/** What libpcap's own interpreter says of BPF programs, through a small C program that is built on the spot. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { endianness } from 'node:os';
import type { BpfProgram } from '@capfleet/shared/bpf/program';

export interface BpfCase {
  program: BpfProgram;
  frames: readonly Uint8Array[];
}

const ABSENT = 77;
const LITTLE = endianness() === 'LE';

/** @returns what each program returned for each of its frames; or why there is no oracle */
export function askLibpcap(folder: string, cases: readonly BpfCase[]): number[][] | string {
  const oracle = join(folder, 'bpf-oracle');
  const source = join(import.meta.dirname, 'bpf-oracle.c');
  const built = spawnSync('cc', ['-O1', '-Wall', '-o', oracle, source, '-ldl'], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(built.error?.message ?? built.stderr);
  const run = spawnSync(oracle, { input: Buffer.concat(cases.flatMap(encode)), maxBuffer: 64 << 20 });
  if (run.status === ABSENT) return 'libpcap is not installed';
  if (run.status !== 0) throw new Error(`the oracle ended with ${run.status ?? run.signal}`);
  const { stdout } = run;
  let at = 0;
  const next = (): number => {
    const verdict = LITTLE ? stdout.readUInt32LE(at) : stdout.readUInt32BE(at);
    at += 4;
    return verdict;
  };
  return cases.map(({ frames }) => frames.map(next));
}

function encode({ program, frames }: BpfCase): Uint8Array[] {
  const instructions = program.map(({ code, jt, jf, k }) =>
    Buffer.concat([new Uint8Array(Uint16Array.of(code).buffer), Uint8Array.of(jt, jf), word(k)]),
  );
  return [
    word(program.length),
    ...instructions,
    word(frames.length),
    ...frames.flatMap((frame) => [word(frame.length), frame]),
  ];
}

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
