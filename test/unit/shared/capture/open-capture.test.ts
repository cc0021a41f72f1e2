import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { openCapture } from '@capfleet/shared/capture/open-capture';
import { Failure, type FailureFields } from '@capfleet/shared/errors/failure';
import { memoryReader } from '../../../support/memory-reader.ts';
import { withMagic } from '../../../support/pcap-writer.ts';
import { captureOf } from '../../../support/read-capture.ts';

/** The code and fields with which opening fails; the bytes must have been closed. */
async function refusal(bytes: Uint8Array, chunk = Infinity): Promise<{ code: string } & FailureFields> {
  const reader = memoryReader(bytes, { chunk });
  try {
    await openCapture(reader, '/data/a.pcap');
  } catch (thrown) {
    assert.ok(thrown instanceof Failure, String(thrown));
    assert.equal(reader.closed, 1, 'not closed');
    assert.equal(thrown.fields['path'], '/data/a.pcap');
    assert.match(thrown.message, /\/data\/a\.pcap/);
    assert.doesNotMatch(thrown.message + thrown.hint, /\{\w+\}/);
    return { code: thrown.code, ...thrown.fields };
  }
  assert.fail('it was opened');
}

/** A file that begins with these bytes. */
function beginningWith(hex: string): Buffer {
  return Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(300, 0x55)]);
}

/** The head of a tar archive: its magic stands behind the name of the first entry. */
function tarArchive(): Buffer {
  const head = Buffer.alloc(1024);
  head.write('captures/2020-01-01.pcap');
  head.write('0000644\0', 100);
  head.write('ustar\x0000', 257);
  return head;
}

describe('what a file is refused for', () => {
  test('an empty file', async () => {
    assert.equal((await refusal(Buffer.alloc(0))).code, 'capture-empty');
  });

  test('a capture of 1 to 23 bytes, in every byte order', async () => {
    for (const byteOrder of ['le', 'be'] as const) {
      const file = captureOf([60], { byteOrder });
      for (let size = 1; size < 24; size += 1) {
        for (const chunk of [1, Infinity]) {
          const { code, size: told } = await refusal(file.subarray(0, size), chunk);
          assert.deepEqual([code, told], ['capture-too-short', size]);
        }
      }
    }
  });

  for (const [name, hex] of [
    ['Navtel', 'a12b3c4d'],
    ['Navtel', '4d3c2ba1'],
    ['lz4 of the legacy format', '02214c18'],
    ['snoop', '736e6f6f7000000000000002'],
    ['Network Monitor', '474d425500'],
    ['Network Monitor', '5254535300'],
    ['NetXRay', '58435000'],
  ] as const) {
    test(`${name} (${hex}), by name, plain and inside gzip`, async () => {
      for (const bytes of [beginningWith(hex), gzipSync(beginningWith(hex))]) {
        for (const chunk of [1, Infinity]) {
          const { code, format } = await refusal(bytes, chunk);
          assert.equal(code, 'capture-unsupported');
          assert.match(String(format), new RegExp(name));
        }
      }
    });
  }

  for (const [name, hex] of [
    ['gzip', '1f8b08'],
    ['zstd', '28b52ffd'],
    ['lz4', '04224d18'],
    ['xz', 'fd377a585a00'],
    ['bzip2', '425a6839'],
  ] as const) {
    test(`${name} inside another compression, by name`, async () => {
      const { code, format } = await refusal(gzipSync(beginningWith(hex)));
      assert.deepEqual([code, format], ['capture-unsupported', `${name} inside another compression`]);
    });

    test(`what only begins like ${name}, as damaged`, async () => {
      const { code } = await refusal(Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(300, 0xff)]));
      assert.equal(code, 'compression-damaged');
    });
  }

  test('a tar archive, as one', async () => {
    assert.equal((await refusal(tarArchive())).code, 'capture-tarball');
  });

  test('a pcapng capture that ends in its first header, and a short file of a format that is not read', async () => {
    const { code, size } = await refusal(Buffer.from('0a0d0d0a1c000000', 'hex'));
    assert.deepEqual([code, size], ['capture-too-short', 8]);
    const { format } = await refusal(Buffer.from('58435000', 'hex'));
    assert.equal(format, 'a NetXRay capture');
  });

  test('anything else, with the bytes that it begins with', async () => {
    for (const [bytes, magic] of [
      [Buffer.from('hello, world\n'), '68 65 6c 6c'],
      [Buffer.alloc(1000), '00 00 00 00'],
      [withMagic(captureOf([60]), 0xa1b2_c3d5), 'a1 b2 c3 d5'],
    ] as const) {
      const refused = await refusal(bytes);
      assert.deepEqual([refused.code, refused['magic']], ['capture-unknown', magic]);
    }
  });

  test('three bytes of anything', async () => {
    assert.equal((await refusal(Buffer.from('abc'))).code, 'capture-too-short');
  });

  test('gzip of nothing, of text, and of gzip', async () => {
    assert.match((await refusal(gzipSync(Buffer.alloc(0)))).code, /capture-(empty|too-short)/);
    assert.equal((await refusal(gzipSync('hello, world'))).code, 'capture-unknown');
    const twice = await refusal(gzipSync(gzipSync(captureOf([60]))));
    assert.match(twice.code, /capture-(unknown|unsupported)/);
  });

  test('gzip that is cut or damaged before the capture begins', async () => {
    const whole = gzipSync(captureOf([60]));
    assert.match((await refusal(whole.subarray(0, 2))).code, /compression-damaged|capture-too-short/);
    for (const length of [3, 5, 10, 12]) {
      assert.equal((await refusal(whole.subarray(0, length))).code, 'compression-damaged', `${length} bytes`);
    }
    const wrongMethod = Buffer.from(whole);
    wrongMethod[2] = 7;
    assert.equal((await refusal(wrongMethod)).code, 'compression-damaged');
  });

  test('a read that fails, with the failure as it is', async () => {
    const error = new Failure('read-failed', { path: 'p', reason: 'r' });
    for (const at of [0, 3, 10]) {
      const reader = memoryReader(captureOf([60]), { failure: { at, error } });
      await assert.rejects(openCapture(reader, 'p'), error);
      assert.equal(reader.closed, 1);
    }
  });
});
