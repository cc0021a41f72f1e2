/**
 * Makes traffic towards one address for some seconds: rounds of downloads over HTTP and HTTPS, DNS queries from
 * many ports and bursts of log lines, each round followed by a pause in which nothing is sent. Arguments: address,
 * certificate file, seconds. Ends by itself; what was not answered is an error.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { get as getSecurely } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { dnsQuery } from './dns-message.ts';

const [address = '', certificateFile = '', duration = '10'] = process.argv.slice(2);
const certificate = readFileSync(certificateFile);
const SERVER_NAME = 'server.test';
const deadline = performance.now() + Number(duration) * 1000;

const KB = 1000;
const MB = 1_000_000;
/** Object sizes, round by round: about 11 MB in five rounds. */
const ROUNDS: readonly (readonly number[])[] = [
  [10 * KB, 10 * KB, 10 * KB, 30 * KB, 30 * KB, 100 * KB, 100 * KB, 1 * MB],
  [5 * MB, 10 * KB, 10 * KB, 30 * KB],
  [300 * KB, 300 * KB, 300 * KB, 100 * KB, 100 * KB, 30 * KB, 30 * KB, 10 * KB],
  [1 * MB, 300 * KB, 300 * KB, 10 * KB, 10 * KB, 10 * KB],
  [1 * MB, 100 * KB, 100 * KB, 100 * KB, 30 * KB, 30 * KB, 30 * KB],
];
const QUERIES = 120;
const BURSTS = 2;
const SPREAD_MS = 900;
const LAST_ROUND_MS = 1000;

const between = (low: number, high: number): number => Math.floor(low + Math.random() * (high - low + 1));

async function download(size: number, secure: boolean): Promise<void> {
  const path = `/objects/${size}`;
  const request = secure
    ? getSecurely({ host: address, path, agent: false, ca: certificate, servername: SERVER_NAME })
    : get({ host: address, path, agent: false, headers: { host: SERVER_NAME } });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let received = 0;
  for await (const chunk of response) received += (chunk as Buffer).length;
  if (received !== size) throw new Error(`${received} bytes instead of ${size}`);
}

async function query(number: number): Promise<void> {
  const socket = createSocket('udp4');
  try {
    for (let again = number % 5 === 0 ? 2 : 1; again > 0; again--) {
      socket.send(dnsQuery(between(0, 0xffff), `host-${number}.example.test`), 53, address);
      await once(socket, 'message', { signal: AbortSignal.timeout(2000) });
    }
  } finally {
    socket.close();
  }
}

/** Lines back to back, as fast as the kernel takes them. */
async function burst(): Promise<void> {
  const socket = createSocket('udp4');
  const count = between(50, 200);
  const sent = Array.from({ length: count }, (_, i) => {
    const line = `<134>1 - host-7 service - - - line ${i} of ${count} `.padEnd(between(80, 1200), '.');
    return new Promise((resolve) => socket.send(line, 514, address, resolve));
  });
  await Promise.all(sent);
  socket.close();
}

async function round(sizes: readonly number[], first: number): Promise<void> {
  const spread = async (work: () => Promise<void>): Promise<void> => {
    await sleep(between(0, SPREAD_MS));
    await work();
  };
  await Promise.all([
    ...sizes.map((size, i) =>
      size >= 5 * MB ? download(size, true) : spread(() => download(size, i % 2 === 0)),
    ),
    ...Array.from({ length: QUERIES }, (_, i) => spread(() => query(first + i))),
    ...Array.from({ length: BURSTS }, () => spread(burst)),
  ]);
}

for (let number = 0; deadline - performance.now() >= LAST_ROUND_MS; number++) {
  await round(ROUNDS[number % ROUNDS.length] ?? [], number * QUERIES);
  const left = deadline - performance.now();
  if (left >= LAST_ROUND_MS) await sleep(between(500, Math.min(1500, Math.max(500, left - LAST_ROUND_MS))));
}
