import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openNativePacer } from '@capfleet/replayer/adapters/native-pacer';
import { loadNative } from '@capfleet/replayer/native/binding';
import { readPcap } from '../support/pcap-reader.ts';
import { recordingPacer, type RecordingPacer } from '../support/recording-pacer.ts';
import { tempDir } from '../support/temp-dir.ts';
import { pacerContract } from './suites/pacer.ts';

const native = loadNative();

{
  let last: RecordingPacer;
  pacerContract({
    name: 'recording',
    open: async () => (last = recordingPacer()),
    now: () => 1_000_000_000_000n,
    frames: async () => last.frames.map(({ bytes }) => bytes),
  });
}

if (native === null) {
  test('a pacer (native)', { skip: 'the native core is not built: npm run build' }, () => undefined);
} else {
  pacerContract({
    name: 'native, null link',
    open: async () => openNativePacer({ kind: 'null' }),
    now: () => native.monotonicNow(),
  });

  let path = '';
  pacerContract({
    name: 'native, file link',
    async open(t: TestContext) {
      path = join(await tempDir(t), 'sent.pcap');
      return openNativePacer({ kind: 'file', path });
    },
    now: () => native.monotonicNow(),
    frames: async () => readPcap(await readFile(path)).packets.map(({ data }) => Buffer.from(data)),
  });
}
