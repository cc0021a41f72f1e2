// What Linux says of this host's processors. All of it may be missing, in containers above all; then it is nothing.
import { globSync, readFileSync } from 'node:fs';

export interface ProcessorTime {
  /** Ticks since the host started, in all and of those given to others by the hypervisor. */
  readonly total: number;
  readonly stolen: number;
}

export function processorTime(): ProcessorTime {
  // cpu  user nice system idle iowait irq softirq steal guest guest_nice; the guests' are in user and nice, too.
  const fields = /^cpu +(.*)$/m.exec(textOf('/proc/stat'))?.[1]?.split(' ').map(Number) ?? [];
  return { total: fields.slice(0, 8).reduce((sum, ticks) => sum + ticks, 0), stolen: fields[7] ?? 0 };
}

/** Share of the time between that was stolen, 0 … 1. */
export function stolenShare(before: ProcessorTime, after: ProcessorTime): number {
  const total = after.total - before.total;
  return total > 0 ? (after.stolen - before.stolen) / total : 0;
}

/** The frequency governors in use, each once: of one processor, or of all. */
export function governors(cpu: number | null): string[] {
  const which = cpu === null ? 'cpu[0-9]*' : `cpu${String(cpu)}`;
  const files = globSync(`/sys/devices/system/cpu/${which}/cpufreq/scaling_governor`);
  return [...new Set(files.map((file) => textOf(file).trim()))].filter((name) => name !== '').sort();
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
