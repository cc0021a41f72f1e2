// The whole way once, in containers: made captures go into S3, the mappers map them from there, two replayers play them at
// one instant, and what arrived at their far ends is held against what was to be sent.
//   docker compose run --rm try [--seconds 10] [--copies 1] [--map-only]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, open, readdir, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { CreateBucketCommand, HeadBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { exitCode } from '@capfleet/shared/errors/exit-codes';
import { makeSyntheticSet } from '../../test/support/synthetic-set.ts';

const BUCKET = 'captures';
const SUFFIX = '.pcap.gz';
const SENSORS = ['a', 'b'];
const RECEIVED = '/received';
const PCAP_HEADER = 24;
const UPLOADS = 16;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    /** Of every capture. */
    copies: { type: 'string', default: '1' },
    'map-only': { type: 'boolean', default: false },
  },
});
const folder = await mkdtemp(join(tmpdir(), 'try-'));
process.exitCode = await play();

async function play(): Promise<number> {
  await makeSyntheticSet({ seed: 1, dir: folder, seconds: Number(values.seconds), packetsPerSecond: 1500 });
  const prefix = `try-${String(Number(values.copies))}`;
  await upload(prefix, Number(values.copies));

  const dump = join(folder, 'try.json');
  const source = ['--source', `s3://${BUCKET}/${prefix}`, '--file-suffix', SUFFIX];
  const mapped = await capfleet(['map', ...source, '--set', prefix, '--dump-json', dump]);
  if (mapped !== 0 || values['map-only']) return mapped;
  const before = await Promise.all(SENSORS.map(receivedBy));
  const sensors = ['--sensors', SENSORS.join(',')];
  const played = await capfleet(['replay', '--dump-json', dump, ...sensors]);
  // A verdict that does not hold is worth a look at what arrived.
  if (played !== 0 && played !== exitCode.verdict) return played;
  const codes = [played];
  for (const [index, sensor] of SENSORS.entries()) {
    const received = ['--sensor', sensor, '--received', await cutFrom(sensor, before[index] ?? 0)];
    codes.push(await capfleet(['verify', '--source', dump, ...sensors, ...received]));
  }
  return Math.max(...codes);
}

async function upload(prefix: string, copies: number): Promise<void> {
  const endpoint = process.env['CAPFLEET_S3_ENDPOINT'];
  const s3 = new S3Client({
    ...(endpoint !== undefined && { endpoint }),
    region: 'us-east-1',
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
  await s3.send(new HeadBucketCommand({ Bucket: BUCKET })).catch(async () => {
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  });
  const names = (await readdir(folder)).filter((name) => name.endsWith(SUFFIX));
  const objects = names.flatMap((name) =>
    Array.from({ length: copies }, (_, copy) => ({ name, key: `${prefix}/${String(copy)}/${name}` })),
  );
  const whole = objects.length;
  const put = async (): Promise<void> => {
    for (let next = objects.pop(); next; next = objects.pop()) {
      const Body = await readFile(join(folder, next.name));
      await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: next.key, Body }));
    }
  };
  await Promise.all(Array.from({ length: UPLOADS }, put));
  process.stdout.write(`${String(whole)} captures in s3://${BUCKET}/${prefix}\n`);
}

async function capfleet(args: readonly string[]): Promise<number> {
  process.stdout.write(`$ capfleet ${args.join(' ')}\n`);
  const [code] = (await once(spawn('capfleet', args, { stdio: 'inherit' }), 'exit')) as [number | null];
  return code ?? exitCode.failed;
}

async function receivedBy(sensor: string): Promise<number> {
  const { size } = await stat(join(RECEIVED, `${sensor}.pcap`));
  return size;
}

/** What a far end has captured since. @returns the path of a capture of its own */
async function cutFrom(sensor: string, size: number): Promise<string> {
  const from = join(RECEIVED, `${sensor}.pcap`);
  // It may still be writing.
  for (let last = -1, now = await receivedBy(sensor); now !== last; now = await receivedBy(sensor)) {
    last = now;
    await sleep(1000);
  }
  const to = join(folder, `received-${sensor}.pcap`);
  const header = Buffer.alloc(PCAP_HEADER);
  const file = await open(from);
  await file.read(header, 0, PCAP_HEADER, 0);
  await file.close();
  const out = createWriteStream(to);
  out.write(header);
  await pipeline(createReadStream(from, { start: Math.max(size, PCAP_HEADER) }), out);
  return to;
}
