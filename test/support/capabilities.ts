/** What this process may do beyond an ordinary user. */
import { readFileSync } from 'node:fs';

const numbers = { CAP_IPC_LOCK: 14n, CAP_SYS_NICE: 23n } as const;

export function hasCapability(name: keyof typeof numbers): boolean {
  const mask = /^CapEff:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> numbers[name]) & 1n) === 1n;
}
