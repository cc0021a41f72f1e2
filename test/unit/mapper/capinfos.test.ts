// The project's own pcapng captures, held against what Wireshark's capinfos says of them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { disk } from '@capfleet/shared/source/disk';
import { mapFile } from '@capfleet/mapper/map-file';
import { pcapngFixtures } from '../../support/pcapng-fixtures.ts';
import { nanosOf } from '../../support/real-captures.ts';
import { tempDir } from '../../support/temp-dir.ts';

const found = spawnSync('capinfos', ['--version'], { encoding: 'utf8' });
const skip = found.error !== undefined && 'capinfos is not installed';

/** Packets, bytes on the wire, and the earliest and latest instant, as printed: with fewer digits for a coarse unit. */
function capinfos(path: string): { packets: number; wireBytes: number; span: string[] } {
  const { stdout } = spawnSync('capinfos', ['-T', '-M', '-r', '-S', '-c', '-d', '-a', '-e', path], {
    encoding: 'utf8',
  });
  const [, packets, wireBytes, ...span] = stdout.trim().split('\t');
  return { packets: Number(packets), wireBytes: Number(wireBytes), span };
}

describe('a pcapng capture, read by capinfos', { skip }, () => {
  for (const { name, file } of [...pcapngFixtures('le'), ...pcapngFixtures('be')]) {
    test(`with ${name}, is what the map says`, async (t) => {
      const path = join(await tempDir(t), 'made.pcapng');
      await writeFile(path, file);
      const map = await mapFile(disk, await disk.stat(path));
      assert.ok(map.status === 'ok', JSON.stringify(map));
      const theirs = capinfos(path);
      assert.deepEqual(
        { packets: map.packets, wireBytes: map.wireBytes },
        { packets: theirs.packets, wireBytes: theirs.wireBytes },
      );
      for (const [index, instant] of [map.earliest, map.latest].entries()) {
        const text = theirs.span[index]!;
        // Records without a time, of custom blocks too, keep it from telling any.
        if (text === 'n/a') continue;
        const digits = text.split('.')[1]?.length ?? 0;
        const unit = 10n ** BigInt(9 - digits);
        assert.equal((BigInt(instant!) / unit) * unit, nanosOf(text));
      }
    });
  }
});
