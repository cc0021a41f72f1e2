// One worker's work on one file, in a process of its own: `node one-worker.ts FILE` prints the seconds that the
// mapper took from the job to its map, and what it found.
import { performance } from 'node:perf_hooks';
import { mapFile } from '@capfleet/mapper/map-file';
import { disk } from '@capfleet/shared/source/disk';

const path = process.argv[2] ?? '';
const file = await disk.stat(path);
const started = performance.now();
const map = await mapFile(disk, file);
const seconds = (performance.now() - started) / 1000;
console.log(
  JSON.stringify({ seconds, status: map.status, packets: map.status === 'failed' ? 0 : map.packets }),
);
