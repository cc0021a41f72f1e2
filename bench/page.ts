// What the page asks of the API, with a set of 100,000 files (or as many as are named): `npm run bench:page -- 1000000`. The
// first answer counts like any other. Needs redis-server. Raw runs go to bench/runs.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { parseArgs } from 'node:util';
import { largeMapping } from '../test/support/large-set.ts';
import { lastFirst } from '../test/support/last-first.ts';
import { startRedis } from '../test/support/redis-server.ts';
import { startCoordinator, startReplayer, TOKEN } from '../test/support/start-capfleet.ts';
import { waitFor } from '../test/support/wait-for.ts';
import { ROOT } from './support/processes.ts';
import { Verdicts } from './support/verdicts.ts';

const LIMIT_MS = 300;
const LOADS = 200;

const { positionals } = parseArgs({ allowPositionals: true });
const files = Number(positionals[0] ?? 100_000);
const verdicts = new Verdicts('page');

const cleanings: (() => Promise<void>)[] = [];
const cleanUp = lastFirst({ after: (clean) => void cleanings.push(clean) });
try {
  await measure();
  verdicts.finish(join(ROOT, 'bench/runs'));
} finally {
  for (const clean of cleanings) await clean();
}

async function measure(): Promise<void> {
  verdicts.section(`a set of ${files.toLocaleString('en')} files`);
  const redis = await startRedis(cleanUp);
  const service = await startCoordinator(cleanUp, redis.url);
  await startReplayer(cleanUp, redis.url, 'a');
  await startReplayer(cleanUp, redis.url, 'b');
  const call = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
    const response = await fetch(`${service.url}${path}`, { headers, ...init });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    return response;
  };

  const body = Readable.toWeb(
    Readable.from(largeMapping(files), { objectMode: false }),
  ) as ReadableStream<Uint8Array>;
  const putting = performance.now();
  await call('/v1/sets/large', { method: 'PUT', body, duplex: 'half' });
  verdicts.figure({ name: 'until the set is kept', value: secondsSince(putting), unit: 's' });
  const paths = [
    '/',
    '/v1/sets',
    '/v1/sets/large',
    '/v1/sets/large/timeline',
    '/v1/sensors',
    '/v1/runs',
    '/v1/maps',
  ];
  // What may be planned has an end: a plan has some hundred bytes for each file.
  if (files <= 100_000) {
    const planning = performance.now();
    const request = { sensors: ['a', 'b'], loops: 1, speed: '1' };
    await call('/v1/plans?answer=summary', post({ plan: 'large', set: 'large', request }));
    verdicts.figure({ name: 'until it is planned', value: secondsSince(planning), unit: 's' });
    const created = await call('/v1/runs', post({ plan: 'large' }));
    const { run } = (await created.json()) as { run: string };
    // The files are not there, so that it ends as soon as it is handed out. What that costs is not told apart here.
    const isOver = async (): Promise<boolean> =>
      !/under way|orphaned/.test(await (await call(`/v1/runs/${run}`)).text());
    await waitFor('the run is over', isOver, { timeout: 120_000, every: 500 });
    paths.push(`/v1/runs/${run}`, `/v1/runs/${run}/course`);
  }

  for (const path of paths) {
    const times: number[] = [];
    let size = 0;
    for (let load = 0; load < LOADS; load += 1) {
      const begun = performance.now();
      size = (await (await call(path)).arrayBuffer()).byteLength;
      times.push(performance.now() - begun);
    }
    const name = path.replace(/[0-9a-f-]{36}/, 'RUN');
    verdicts.raw(name, { bytes: size, times });
    times.sort((a, b) => a - b);
    const of = (share: number): number => times[Math.ceil(share * times.length) - 1] ?? 0;
    console.log(
      `  ${name}: ${size.toLocaleString('en')} bytes, p50 ${of(0.5).toFixed(1)} ms, at most ${of(1).toFixed(1)} ms`,
    );
    verdicts.figure({ name: `p99 of ${name}`, value: of(0.99), unit: 'ms', bound: { most: LIMIT_MS } });
  }
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${String(service.pid)}/status`, 'utf8'))?.[1];
  verdicts.figure({ name: 'most memory of the coordinator', value: Number(peak) / 1024, unit: 'MiB' });
}

function post(body: object): RequestInit {
  return { method: 'POST', body: JSON.stringify(body) };
}

function secondsSince(begun: number): number {
  return (performance.now() - begun) / 1000;
}
