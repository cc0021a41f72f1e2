// libpcap's compiler of filter expressions, through the native core.
import {
  OP,
  whyUnsound,
  type BpfInstruction,
  type BpfProgram,
  type FrameFilter,
} from '@capfleet/shared/bpf/program';
import { Failure, errnoOf, reasonOf } from '@capfleet/shared/errors/failure';
import { requireNative } from './native-pacer.ts';

const absoluteLoads = new Set<number>([OP.loadWord, OP.loadHalf, OP.loadByte]);
/** Loads from here on stand for what the kernel knows of a packet (SKF_AD_OFF). */
const KERNEL_OFFSETS = 0xffff_f000;

/** @throws Failure `bpf-invalid` with libpcap's own words, `libpcap-missing`, `native-missing` */
export function compileFilter(expression: string): FrameFilter {
  const flat = compile(expression);
  const program = Array.from({ length: flat.length / 4 }, (_, at): BpfInstruction => {
    const [code = 0, jt = 0, jf = 0, k = 0] = flat.slice(at * 4, at * 4 + 4);
    return { code, jt, jf, k };
  });
  const reason = whyUnfit(program);
  if (reason !== null) throw new Failure('bpf-invalid', { expression, reason });
  return { expression, program };
}

/** What libpcap compiles and is of no use here. */
function whyUnfit(program: BpfProgram): string | null {
  const unsound = whyUnsound(program);
  if (unsound !== null) return `it needs a loop, as protochain does (${unsound})`;
  const asksKernel = program.some(({ code, k }) => absoluteLoads.has(code) && k >= KERNEL_OFFSETS);
  return asksKernel ? 'it asks for what is not in a frame, as inbound and outbound do' : null;
}

function compile(expression: string): number[] {
  const native = requireNative();
  try {
    return native.compileFilter(expression);
  } catch (error) {
    const reason = reasonOf(error);
    switch (errnoOf(error)) {
      case 'BPF_INVALID':
        throw new Failure('bpf-invalid', { expression, reason }, { cause: error });
      case 'BPF_NO_LIBPCAP':
        throw new Failure('libpcap-missing', { reason }, { cause: error });
      default:
        throw error;
    }
  }
}
