// Sets of thousands of small files play in a process that may have 1,024 files open, in bounded memory.
import assert from 'node:assert/strict';
import { writeFile, mkdir } from 'node:fs/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RunReport } from '@capfleet/shared/contract/report';
import { program, runCapfleet } from '../support/capfleet.ts';
import { mapHere } from '../support/dump.ts';
import { pcapFile } from '../support/pcap-writer.ts';
import { tempDir, type AfterHook } from '../support/temp-dir.ts';

const MOST_MEMORY_KB = 250 * 1000;
const MOST_DESCRIPTORS = 200;

/** Two packets in each, `apart` microseconds from one another; a file begins every 100. */
async function manyFiles(t: AfterHook, files: number, apart: number): Promise<string> {
  const dir = await tempDir(t);
  await mkdir(join(dir, 'in'));
  const packet = (at: number, data: Buffer) => ({
    seconds: 1_700_000_000 + Math.floor(at / 1e6),
    fraction: at % 1e6,
    data,
  });
  for (let index = 0; index < files; index += 1) {
    const data = Buffer.alloc(60, index);
    const path = join(dir, 'in', `${String(index)}.pcap`);
    await writeFile(path, pcapFile({}, [packet(index * 100, data), packet(index * 100 + apart, data)]));
  }
  const dump = join(dir, 'map.json');
  await mapHere(join(dir, 'in'), dump);
  return dump;
}

interface Peak {
  memory: number;
  descriptors: number;
}

/** Follows the replayer that plays the dump. */
function watchReplayer(): { peak: Peak; stop: () => void } {
  const peak = { memory: 0, descriptors: 0 };
  const look = (): void => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        if (!command.includes('replayer') || !isBelowThis(Number(pid))) continue;
        const memory = Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
        peak.memory = Math.max(peak.memory, memory);
        peak.descriptors = Math.max(peak.descriptors, readdirSync(`/proc/${pid}/fd`).length);
      } catch {
        // It is gone.
      }
    }
  };
  const timer = setInterval(look, 100);
  return {
    peak,
    stop: () => {
      clearInterval(timer);
    },
  };
}

function isBelowThis(pid: number): boolean {
  for (let at = pid; at > 1;) {
    if (at === process.pid) return true;
    at = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${String(at)}/status`, 'utf8'))?.[1] ?? 0);
  }
  return false;
}

for (const [files, what, apart] of [
  [20_000, 'one after another', 5],
  [2000, 'all side by side', 5_000_000],
] as const) {
  test(`${String(files)} files of two packets, ${what}, play with 1,024 descriptors`, async (t) => {
    const dump = await manyFiles(t, files, apart);
    const watch = watchReplayer();
    const replay = [
      process.execPath,
      program,
      'replay',
      '--dump-json',
      dump,
      '--out-interface',
      'null',
      '--json',
    ];
    const { code, stdout, stderr } = await runCapfleet([], {
      through: ['sh', '-c', 'ulimit -n 1024; exec "$@"', 'sh', ...replay, '--topspeed'],
      limit: 120_000,
    });
    watch.stop();
    assert.ok(code === 0 || code === 4, stdout + stderr);
    const { totals } = JSON.parse(stdout) as RunReport;
    assert.deepEqual([totals.read, totals.sent], [2 * files, 2 * files]);
    t.diagnostic(`peak: ${String(watch.peak.memory)} kB, ${String(watch.peak.descriptors)} descriptors`);
    assert.ok(watch.peak.memory > 0 && watch.peak.memory < MOST_MEMORY_KB, `${String(watch.peak.memory)} kB`);
    assert.ok(watch.peak.descriptors < MOST_DESCRIPTORS, String(watch.peak.descriptors));
  });
}
