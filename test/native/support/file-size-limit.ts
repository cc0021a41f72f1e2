/** Run under a file size limit of 8 KiB: hands 100 frames of 1000 bytes to the file link and prints the statistics. */
import { createPacer, native } from './native.ts';
import { waitForState } from './pacer-stats.ts';
import { ringWriter } from './ring-writer.ts';

const handle = createPacer({ link: 'file', path: process.env['CAPFLEET_TEST_FILE']!, ringBytes: 1 << 20 });
const writer = ringWriter(handle);
for (let i = 0; i < 100; i++) writer.frame(new Uint8Array(1000).fill(i), 0);
writer.commit();
native.end(handle);
native.start(handle, native.monotonicNow());
const stats = await waitForState(handle, 'done');
process.stdout.write(
  JSON.stringify(stats, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
);
