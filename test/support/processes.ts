/**
 * Looks for processes of this host by what is in their command line or the URL of their Redis, to see what a program under test has
 * started and whether it is gone. A test makes the text its own, for example by a temporary folder's name.
 */
import { readdir, readFile } from 'node:fs/promises';

export interface FoundProcess {
  pid: number;
  command: string;
}

/** All but this process, zombies left out, by process id. */
export async function processesMentioning(text: string): Promise<FoundProcess[]> {
  const found: FoundProcess[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    // It may end while it is looked at.
    const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    const command = line.replaceAll('\0', ' ').trim();
    const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
    const redis = environment.split('\0').find((variable) => variable.startsWith('CAPFLEET_REDIS='));
    if (command.includes(text) || redis?.includes(text) === true) found.push({ pid: Number(name), command });
  }
  return found.sort((a, b) => a.pid - b.pid);
}

/** True when no signal to the process waits for delivery: what was sent has reached it. */
export async function hasTakenSignals(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return [...status.matchAll(/^(?:SigPnd|ShdPnd):\s*(\w+)$/gm)].every(
    ([, mask]) => Number(`0x${mask}`) === 0,
  );
}
