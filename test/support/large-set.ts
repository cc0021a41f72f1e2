/** The mapping of a large set whose files need not exist. */
import { buildDataSet } from '@capfleet/shared/dataset/dataset';
import type { MappedFile } from '@capfleet/shared/dataset/file-map';
import { dumpText } from '@capfleet/shared/dataset/gophercap-json';
import { mappedFile } from './file-maps.ts';

const LANES = 16;
const SECOND = 1_000_000_000n;

/** Each lane writes a file a minute, one after another, and pauses now and then. */
export async function* largeMapping(files: number): AsyncGenerator<string> {
  const maps: MappedFile[] = [];
  for (let index = 0; index < files; index += 1) {
    const lane = BigInt(index % LANES);
    const turn = BigInt(Math.floor(index / LANES));
    const begin = 1_700_000_000n * SECOND + turn * 60n * SECOND + lane * 3n * SECOND;
    const length = turn % 50n === lane ? 20n : 60n;
    const packets = 1000 + (index % 7) * 100;
    const name = `captures/${String(index).padStart(8, '0')}.pcap.gz`;
    maps.push(
      mappedFile(name, [begin, begin + length * SECOND - 1n], { packets, capturedBytes: packets * 700 }),
    );
  }
  yield* dumpText(buildDataSet(maps));
}
