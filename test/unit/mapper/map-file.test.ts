import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { mappedFileSchema, type MappedFile } from '@capfleet/shared/dataset/file-map';
import { Failure } from '@capfleet/shared/errors/failure';
import type { SourceFile } from '@capfleet/shared/source/source';
import { mapFile } from '@capfleet/mapper/map-file';
import { buildDataSet } from '@capfleet/shared/dataset/dataset';
import { madeCapture } from '../../support/endless-capture.ts';
import { memorySource, type MemorySource } from '../../support/memory-source.ts';
import { cutAt, pcapFile, pcapRecordOffset, withCapturedLength } from '../../support/pcap-writer.ts';
import { blocks } from '../../support/pcapng-writer.ts';
import { captureOf, records } from '../../support/read-capture.ts';

const PATH = '/data/sub/a.pcap';
const MIB = 1024 * 1024;

function sourceWith(bytes: Uint8Array): MemorySource {
  const source = memorySource();
  source.put(PATH, bytes);
  return source;
}

async function listed(source: MemorySource): Promise<SourceFile> {
  for await (const file of source.list('/data', { suffix: '', pattern: null })) return file;
  assert.fail('the source is empty');
}

async function mapBytes(bytes: Uint8Array): Promise<MappedFile> {
  const source = sourceWith(bytes);
  const map = await mapFile(source, await listed(source));
  assert.equal(source.openReaders, 0, 'a file is left open');
  assert.notEqual(map.status, 'failed', JSON.stringify(map));
  return map as MappedFile;
}

describe('the map of a file', () => {
  test('says what the file is and what is in it', async () => {
    const packets = records([60, 1514, 0], { magic: 'ns' });
    packets[1] = { ...packets[1]!, wireLength: 9000 };
    packets.push({ seconds: 1_500_000_000, fraction: 999_999_999, data: Buffer.alloc(10) });
    const file = pcapFile({ magic: 'ns', byteOrder: 'be', snaplen: 1600, linkType: 113 }, packets);
    const source = sourceWith(file);
    const { version } = await source.stat(PATH);
    assert.deepEqual(await mapFile(source, await listed(source)), {
      path: PATH,
      name: 'sub/a.pcap',
      fileSize: file.length,
      version,
      status: 'ok',
      format: 'pcap',
      compression: 'none',
      byteOrder: 'big',
      resolution: 'ns',
      snaplen: 1600,
      linkTypes: [113],
      packets: 4,
      capturedBytes: 1584,
      wireBytes: 9070,
      maxCaptured: 1514,
      maxWire: 9000,
      outOfOrder: 1,
      first: '1600000000000000000',
      last: '1500000000999999999',
      earliest: '1500000000999999999',
      latest: '1600000000002000000',
      warnings: [],
    });
  });

  test('is the same for the plain and the compressed file, but for what differs', async () => {
    const file = captureOf([60, 70, 80]);
    const plain = await mapBytes(file);
    const zipped = gzipSync(file);
    const packed = await mapBytes(zipped);
    assert.deepEqual(packed, {
      ...plain,
      compression: 'gzip',
      fileSize: zipped.length,
    });
  });

  test('fits its schema after a trip through JSON, with every kind of warning', async () => {
    const odd = [{ seconds: 1, fraction: 3_000_000, data: Buffer.alloc(9), wireLength: 3 }];
    for (const bytes of [
      captureOf([]),
      pcapFile({}, odd),
      cutAt(captureOf([60, 60]), 150),
      withCapturedLength(captureOf([60, 60]), 1),
      gzipSync(captureOf([600, 60])).subarray(0, -9),
    ]) {
      const map = await mapBytes(bytes);
      assert.deepEqual(mappedFileSchema.parse(JSON.parse(JSON.stringify(map))), map);
    }
  });

  test('of a capture without a packet is ok, without instants, and says so', async () => {
    const map = await mapBytes(captureOf([]));
    assert.equal(map.status, 'ok');
    assert.deepEqual([map.first, map.last, map.earliest, map.latest], [null, null, null, null]);
    assert.deepEqual(
      map.warnings.map(({ kind }) => kind),
      ['no-packets'],
    );
  });

  test('of a capture whose packets have no stamps counts them, has no instants, and says so', async () => {
    const b = blocks('le');
    const map = await mapBytes(Buffer.concat([b.section(), b.interface(), b.simple(Buffer.alloc(60))]));
    assert.deepEqual([map.status, map.packets, map.untimed, map.capturedBytes], ['ok', 1, 1, 60]);
    assert.deepEqual([map.first, map.last, map.earliest, map.latest], [null, null, null, null]);
    assert.deepEqual(
      map.warnings.map(({ kind }) => kind),
      ['no-stamps'],
    );
    const set = buildDataSet([map]);
    assert.deepEqual([set.files, set.empty, set.span], [[], [map], null]);
  });

  test('of a capture with a stamp beyond the calendar keeps it, and stands outside of the time line', async () => {
    const b = blocks('le');
    const packet = b.enhanced({ stamp: 2n ** 64n - 1n, data: Buffer.alloc(9) });
    const map = await mapBytes(Buffer.concat([b.section(), b.interface(), packet]));
    assert.equal(map.latest, '18446744073709551615000');
    assert.deepEqual(
      map.warnings.map(({ kind }) => kind),
      ['no-calendar-time'],
    );
    assert.deepEqual(mappedFileSchema.parse(JSON.parse(JSON.stringify(map))), map);
    assert.deepEqual(buildDataSet([map]).empty, [map]);
  });

  test('of pcapng says what all its sections and interfaces are', async () => {
    const b = blocks('be');
    const map = await mapBytes(
      Buffer.concat([
        b.section(),
        b.interface({ snaplen: 96 }),
        b.enhanced({ stamp: 5n, data: Buffer.alloc(9) }),
        b.simple(Buffer.alloc(7)),
        b.interface({ snaplen: 128, linkType: 113, resolution: 9 }),
        b.enhanced({ interface: 1, stamp: 4_000n, data: Buffer.alloc(8), wireLength: 20 }),
      ]),
    );
    const { format, byteOrder, resolution, snaplen, linkTypes, packets, untimed, outOfOrder } = map;
    assert.deepEqual(
      { format, byteOrder, resolution, snaplen, linkTypes, packets, untimed, outOfOrder },
      {
        format: 'pcapng',
        byteOrder: 'big',
        resolution: 'mixed',
        snaplen: 128,
        linkTypes: [1, 113],
        packets: 3,
        untimed: 1,
        outOfOrder: 1,
      },
    );
    assert.deepEqual([map.first, map.last, map.wireBytes], ['5000', '4000', 36]);
  });

  test('of one packet has one instant four times', async () => {
    const map = await mapBytes(captureOf([60]));
    assert.deepEqual(new Set([map.first, map.last, map.earliest, map.latest]).size, 1);
  });

  for (const [what, bytes, kind] of [
    ['cut in a record', cutAt(captureOf([60, 60, 60]), 200), 'cut-off-record'],
    ['with a record that claims too much', withCapturedLength(captureOf([60, 60, 60]), 2), 'record-too-long'],
    [
      'whose compression is cut in the last record',
      gzipSync(captureOf([60, 60, 60]), { level: 0 }).subarray(0, 215),
      'cut-off-compression',
    ],
  ] as const) {
    test(`of a file ${what} is partial and keeps what came before`, async () => {
      const map = await mapBytes(bytes);
      assert.deepEqual([map.status, map.packets], ['partial', 2]);
      assert.equal(map.warnings[0]?.kind, kind);
      assert.equal(map.warnings[0].offset, pcapRecordOffset(captureOf([60, 60, 60]), 2));
      assert.equal(map.latest, '1600000000001000000');
    });
  }

  test('of a file with odd records only is ok, with warnings', async () => {
    const map = await mapBytes(pcapFile({}, [{ seconds: 1, fraction: 1_000_000, data: Buffer.alloc(1) }]));
    assert.deepEqual([map.status, map.warnings.length], ['ok', 1]);
  });

  test('of what is no capture is failed, with the code and the way out', async () => {
    const source = sourceWith(Buffer.from('these are notes, no packets'));
    const file = await listed(source);
    const map = await mapFile(source, file);
    assert.deepEqual(map, {
      path: PATH,
      name: 'sub/a.pcap',
      fileSize: 27,
      version: file.version,
      status: 'failed',
      error: new Failure('capture-unknown', { path: PATH, magic: '74 68 65 73' }).toRecord(),
    });
    assert.equal(source.openReaders, 0);
  });

  test('of a file that is gone is failed', async () => {
    const source = sourceWith(captureOf([60]));
    const file = await listed(source);
    source.remove(PATH);
    const map = await mapFile(source, file);
    assert.equal(map.status === 'failed' && map.error.code, 'file-missing');
  });
});

describe('a file that changes while it is read', () => {
  for (const [what, change, difference] of [
    ['grows', Buffer.concat([captureOf([60]), captureOf([60])]), /200 bytes, listed with 100/],
    ['is replaced by one of the same size', captureOf([60]), /written meanwhile/],
  ] as const) {
    test(`and ${what} is failed as changed`, async () => {
      const source = sourceWith(captureOf([60]));
      const map = await mapFile(source, await listed(source), {
        onProgress: () => {
          source.put(PATH, change);
        },
      });
      assert.ok(map.status === 'failed');
      assert.equal(map.error.code, 'file-changed');
      assert.equal(source.openReaders, 0);
      assert.match(map.error.message, difference);
    });
  }

  test('and is removed is failed as missing', async () => {
    const source = sourceWith(captureOf([60]));
    const map = await mapFile(source, await listed(source), { onProgress: () => source.remove(PATH) });
    assert.equal(map.status === 'failed' && map.error.code, 'file-missing');
    assert.equal(source.openReaders, 0);
  });
});

describe('a failure that may pass', () => {
  test('is thrown, so that the queue tries again, and leaves nothing open', async () => {
    for (const at of [0, 10, 50, 130]) {
      const source = memorySource();
      const error = new Failure('read-failed', { path: PATH, reason: 'EIO' });
      source.put(PATH, captureOf([60, 60]), { failure: { at, error } });
      await assert.rejects(mapFile(source, await listed(source)), error);
      assert.equal(source.openReaders, 0);
    }
  });

  test('as any that is no failure of ours', async () => {
    const source = memorySource();
    const error = new TypeError('a bug');
    source.put(PATH, captureOf([60, 60]), { failure: { at: 120, error } });
    await assert.rejects(mapFile(source, await listed(source)), error);
    assert.equal(source.openReaders, 0);
  });

  test('an abort ends the work with its reason', async () => {
    const made = madeCapture(50 * MIB);
    const source = memorySource();
    source.putReader(PATH, made.size, made.open);
    const stopping = new AbortController();
    const reason = new Failure('read-failed', { path: PATH, reason: 'the mapper is shutting down' });
    let calls = 0;
    const mapping = mapFile(source, await listed(source), {
      signal: stopping.signal,
      onProgress: () => {
        calls += 1;
        if (calls === 3) stopping.abort(reason);
      },
    });
    await assert.rejects(mapping, reason);
    assert.equal(calls, 3);
    assert.equal(source.openReaders, 0);
  });
});

describe('progress', () => {
  test('tells the bytes read so far, upwards, up to the size of the file', async () => {
    const made = madeCapture(5 * MIB);
    const source = memorySource();
    source.putReader(PATH, made.size, made.open);
    const told: number[] = [];
    await mapFile(source, await listed(source), { onProgress: (consumed) => told.push(consumed) });
    assert.ok(told.length > 15);
    assert.deepEqual(
      told,
      told.toSorted((a, b) => a - b),
    );
    assert.equal(told.at(-1), made.size);
  });
});

/**
 * Watches how long the event loop is kept from its timers, in milliseconds of this thread's own CPU time: what other
 * programs take of the machine meanwhile does not count.
 */
function watchTurns(): { stop: () => number } {
  const now = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let last = now();
  let longest = 0;
  const timer = setInterval(() => {
    const at = now();
    longest = Math.max(longest, at - last);
    last = at;
  }, 1);
  return {
    stop() {
      clearInterval(timer);
      return Math.max(longest, now() - last);
    },
  };
}

describe('a mapper', () => {
  test('needs no more memory for a file of 300 MiB than for a small one', async () => {
    const made = madeCapture(300 * MIB);
    const source = memorySource();
    source.putReader(PATH, made.size, made.open);
    const file = await listed(source);
    await mapBytes(captureOf([60]));
    const before = process.memoryUsage();
    let buffers = 0;
    let resident = 0;
    let looks = 0;
    const map = await mapFile(source, file, {
      onProgress() {
        looks += 1;
        if (looks % 50 !== 0) return;
        const now = process.memoryUsage();
        buffers = Math.max(buffers, now.arrayBuffers - before.arrayBuffers);
        resident = Math.max(resident, now.rss - before.rss);
      },
    });
    assert.equal(map.status === 'ok' && map.packets, made.packets);
    assert.ok(looks > 1000);
    assert.ok(buffers < 4 * MIB, `${buffers} bytes in buffers`);
    assert.ok(resident < 64 * MIB, `${resident} bytes more resident`);
  });

  test('never blocks the event loop for long, also while a file expands a thousandfold', async () => {
    const zeros = gzipSync(Buffer.concat([captureOf([]), Buffer.alloc(100 * MIB)]), { level: 9 });
    assert.ok(zeros.length < 120_000);
    const source = sourceWith(zeros);
    const file = await listed(source);
    const turns = watchTurns();
    const map = await mapFile(source, file);
    const longest = turns.stop();
    assert.equal(map.status === 'ok' && map.packets, (100 * MIB) / 16);
    assert.ok(longest > 0 && longest < 200, `blocked for ${longest} ms`);
  });
});
