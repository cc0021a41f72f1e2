// The whole way once, in containers: made captures go into S3, the mappers map them from there, two replayers play them at
// one instant, and what arrived at their far ends is held against what was to be sent.
//   docker compose run --rm try [SECONDS]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, open, readdir, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pipeline } from 'node:stream/promises';
import { CreateBucketCommand, HeadBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { makeSyntheticSet } from '../../test/support/synthetic-set.ts';

const BUCKET = 'captures';
const SUFFIX = '.pcap.gz';
const SENSORS = ['a', 'b'];
const RECEIVED = '/received';
const PCAP_HEADER = 24;

const seconds = Number(process.argv[2] ?? 10);
const folder = await mkdtemp(join(tmpdir(), 'try-'));
const s3 = new S3Client({
  ...(process.env['CAPFLEET_S3_ENDPOINT'] && { endpoint: process.env['CAPFLEET_S3_ENDPOINT'] }),
  region: 'us-east-1',
  forcePathStyle: true,
  requestChecksumCalculation: 'WHEN_REQUIRED',
});

process.exitCode = await play();

async function play(): Promise<number> {
  const { packets } = await makeSyntheticSet({ seed: 1, dir: folder, seconds, packetsPerSecond: 1500 });
  await s3.send(new HeadBucketCommand({ Bucket: BUCKET })).catch(async () => {
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  });
  const names = (await readdir(folder)).filter((name) => name.endsWith(SUFFIX));
  for (const name of names) {
    const Body = await readFile(join(folder, name));
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: `try/${name}`, Body }));
  }
  say(`${String(names.length)} captures with ${String(packets)} packets in s3://${BUCKET}/try`);

  const dump = join(folder, 'try.json');
  const source = ['--source', `s3://${BUCKET}/try`, '--file-suffix', SUFFIX];
  const mapped = await capfleet(['map', ...source, '--set', 'try', '--dump-json', dump]);
  if (mapped !== 0) return mapped;
  const before = await Promise.all(SENSORS.map(receivedBy));
  const replay = ['replay', '--dump-json', dump, '--sensors', SENSORS.join(',')];
  const played = await capfleet(replay);
  if (played !== 0 && played !== 4) return played;
  const failed = [played];
  for (const [index, sensor] of SENSORS.entries()) {
    const received = await cutFrom(sensor, before[index] ?? 0);
    const share = ['--sensors', SENSORS.join(','), '--sensor', sensor, '--received', received];
    failed.push(await capfleet(['verify', '--source', dump, ...share]));
  }
  return Math.max(...failed);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function capfleet(args: readonly string[]): Promise<number> {
  say(`$ capfleet ${args.join(' ')}`);
  const [code] = (await once(spawn('capfleet', args, { stdio: 'inherit' }), 'exit')) as [number | null];
  return code ?? 1;
}

async function receivedBy(sensor: string): Promise<number> {
  const { size } = await stat(join(RECEIVED, `${sensor}.pcap`));
  return size;
}

/** What a far end has captured since. @returns the path of a capture of its own */
async function cutFrom(sensor: string, size: number): Promise<string> {
  const from = join(RECEIVED, `${sensor}.pcap`);
  // The far end may still be writing.
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
