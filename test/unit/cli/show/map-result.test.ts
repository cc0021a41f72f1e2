import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import { showMapResult } from '@capfleet/cli/show/map-result';
import { viewMapping } from '@capfleet/cli/show/map-view';
import { failedMap, mappedFile } from '../../../support/file-maps.ts';
import { mappedSetOf } from '../../../support/mapped-set.ts';

const T = 1_600_000_000_000_000_000n;

const show = async (maps: readonly FileMap[]): Promise<string> =>
  showMapResult(await viewMapping(await mappedSetOf(maps)));

describe('a mapping for people', () => {
  test('tells the set, its capture threads and every file that is not whole', async () => {
    const text = await show([
      mappedFile('a.pcap', [T, T + 10n]),
      mappedFile('b.pcap', [T + 5n, T + 1_500_000_000n], {
        status: 'partial',
        warnings: [
          { kind: 'cut-off-record', count: 1, offset: 9, message: 'the last record has 3 of 76 bytes' },
        ],
      }),
      mappedFile('c.pcap', [T + 11n, T + 20n]),
      mappedFile('none.pcap', null, {
        warnings: [{ kind: 'no-packets', count: 1, offset: 0, message: 'the capture holds no packet' }],
      }),
      failedMap('notes.txt'),
    ]);
    assert.equal(
      text,
      [
        '3 files, 6 packets, 360 B captured',
        '2020-09-13T12:26:40.000000000Z to 2020-09-13T12:26:41.500000000Z (1.5 s)',
        '',
        '2 capture threads wrote this set:',
        '  lane 0: 2 files, 4 packets',
        '    a.pcap c.pcap',
        '  lane 1: 1 file, 2 packets',
        '    b.pcap',
        '',
        '  failed   notes.txt',
        '           /data/notes.txt is empty (0 bytes); remove it from the set, or find out why nothing was written',
        '  partial  b.pcap',
        '           the last record has 3 of 76 bytes',
        '  empty    none.pcap',
        '           the capture holds no packet',
        '',
      ].join('\n'),
    );
  });

  test('of a set without a packet tells what is wrong with each file', async () => {
    const text = await show([failedMap('a.txt'), failedMap('b.txt')]);
    assert.match(text, /failed {3}a\.txt\n[^]*failed {3}b\.txt\n/);
    assert.doesNotMatch(text, /lane/);
  });

  test('of very many files lists no names, and only the first of the troubled ones', async () => {
    const many = Array.from({ length: 500 }, (_, i) =>
      mappedFile(`f${i}.pcap`, [T + BigInt(i) * 10n, T + BigInt(i) * 10n + 5n]),
    );
    const text = await show([...many, ...Array.from({ length: 30 }, (_, i) => failedMap(`x${i}`))]);
    assert.match(text, /500 files/);
    assert.doesNotMatch(text, /f17\.pcap/);
    assert.equal(text.match(/^ {2}failed /gm)?.length, 20);
    assert.match(text, /… and 10 more in the dump/);
  });

  test('never writes a line longer than a terminal is wide, but for a name that is', async () => {
    const many = Array.from({ length: 50 }, (_, i) =>
      mappedFile(`some-capture-${i}.pcap`, [T + BigInt(i) * 10n, T + BigInt(i) * 10n + 5n]),
    );
    for (const line of (await show(many)).split('\n')) assert.ok(line.length <= 80, line);
  });
});
