// What a run of many sensors costs Redis and its coordinator: simulated agents, several in each of a few processes,
// against one real Redis: `npm run bench:fleet`, or with the numbers of sensors: `npm run bench:fleet -- 200 400`. Needs
// redis-server. Raw runs go to bench/runs.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { barrierOf } from '../test/support/simulated-agents.ts';
import { waitFor } from '../test/support/wait-for.ts';
import { bounded } from './support/bounded.ts';
import { isInstalled, ROOT, startRedis, Watched } from './support/processes.ts';
import { Verdicts } from './support/verdicts.ts';

type Client = ReturnType<typeof connect>;

const PROCESSES = 4;
const PLAY_MS = 20_000;
/** Of the play: after all have begun, and before the first has ended. */
const WINDOW_MS = 10_000;
const LIMIT_MS = 5 * 60_000;

const started: Watched[] = [];
const folder = bounded('fleet', LIMIT_MS, () => {
  for (const { child } of started) child.kill('SIGKILL');
});

const verdicts = new Verdicts('fleet');

function start(command: string, args: readonly string[]): Watched {
  const watched = new Watched(command, args);
  started.push(watched);
  return watched;
}

interface Counts {
  readonly at: number;
  readonly commands: number;
  readonly connections: number;
  readonly memory: number;
  /** Of each command, so often. */
  readonly calls: Readonly<Record<string, number>>;
}

async function countsOf(client: Client): Promise<Counts> {
  const at = performance.now();
  const text = `${await client.info()}\n${await client.info('commandstats')}`;
  const number = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)?.[1]);
  const calls = [...text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)];
  return {
    at,
    commands: number('total_commands_processed'),
    connections: number('connected_clients'),
    memory: number('used_memory'),
    calls: Object.fromEntries(calls.map(([, name = '', count]) => [name, Number(count)])),
  };
}

interface Cost {
  /** Per second. */
  readonly commands: number;
  readonly calls: Readonly<Record<string, number>>;
  /** Processor time, % of a core. */
  readonly cpu: Readonly<Record<string, number>>;
  readonly connections: number;
  readonly memory: number;
}

/** What goes on for a while, by the second. */
async function costOf(client: Client, watched: Readonly<Record<string, Watched>>): Promise<Cost> {
  const spent = (): number[] =>
    Object.values(watched).map((each) => {
      each.look();
      return each.cpu;
    });
  const [before, cpuBefore] = [await countsOf(client), spent()];
  await sleep(WINDOW_MS);
  const [after, cpuAfter] = [await countsOf(client), spent()];
  const seconds = (after.at - before.at) / 1000;
  const rates = Object.entries(after.calls)
    .map(([name, count]) => [name, (count - (before.calls[name] ?? 0)) / seconds] as const)
    .filter(([, rate]) => rate >= 0.5)
    .sort(([, a], [, b]) => b - a);
  return {
    commands: (after.commands - before.commands) / seconds,
    calls: Object.fromEntries(rates.map(([name, rate]) => [name, Math.round(rate)])),
    cpu: Object.fromEntries(
      Object.keys(watched).map((name, index) => {
        return [name, (((cpuAfter[index] ?? 0) - (cpuBefore[index] ?? 0)) / seconds) * 100];
      }),
    ),
    connections: after.connections,
    memory: after.memory,
  };
}

function show(what: string, { commands, calls, cpu, connections, memory }: Cost): void {
  const shares = Object.entries(cpu).map(([name, share]) => `${name} ${share.toFixed(1)} %`);
  console.log(`  ${what}: ${shares.join(', ')} of a core`);
  console.log(`    ${connections} connections, ${(memory / 1e6).toFixed(1)} MB in Redis`);
  const most = Object.entries(calls).slice(0, 8);
  console.log(
    `    ${commands.toFixed(0)} commands per second: ${most.map(([name, rate]) => `${name} ${rate}`).join(', ')}`,
  );
}

async function measure(count: number): Promise<void> {
  verdicts.section(`${count} sensors in ${PROCESSES} processes`);
  const { redis, url } = await startRedis(folder);
  started.push(redis);
  const client = connect(url, 'bench', silentLogger());
  const began = performance.now();
  const each = Math.ceil(count / PROCESSES);
  const agents: Watched[] = [];
  for (let first = 0; first < count; first += each) {
    const args = [url, String(first), String(Math.min(each, count - first))];
    agents.push(start(process.execPath, [join(ROOT, 'bench/support/agents.ts'), ...args]));
  }
  await waitFor('all agents', () => agents.every(({ stdout }) => stdout.includes('ready')), {
    timeout: 120_000,
  });
  const registered = (performance.now() - began) / 1000;
  const idle = await costOf(client, { Redis: redis });

  const run = randomUUID();
  const args = [url, run, String(count), String(PLAY_MS)];
  const coordinator = start(process.execPath, [join(ROOT, 'bench/support/one-run.ts'), ...args]);
  await waitFor('a start', async () => !Number.isNaN((await barrierOf(url, run)).commit), {
    timeout: 60_000,
    every: 100,
  });
  // The lead is not play yet.
  await sleep(PLAY_MS / 4);
  const playing = await costOf(client, { Redis: redis, coordinator });
  await coordinator.ended;
  const barrier = await barrierOf(url, run);
  const { ready, commit, acknowledged } = barrier;
  const prepared = Math.max(...ready) - Math.min(...ready);
  verdicts.raw(`${count}`, { registered, idle, playing, barrier, said: coordinator.stderr });
  show('registered', idle);
  show('playing', playing);
  verdicts.figure({
    name: 'all registered, from the start of their processes',
    value: registered,
    unit: 's',
  });
  verdicts.figure({ name: 'from the first ready to the last', value: prepared, unit: 'ms' });
  verdicts.figure({
    name: 'from the last ready to the commit',
    value: commit - Math.max(...ready),
    unit: 'ms',
    bound: { most: 250 },
  });
  verdicts.figure({
    name: 'from the commit to the last acknowledgement',
    value: Math.max(...acknowledged) - commit,
    unit: 'ms',
    // What the default lead leaves for it.
    bound: { most: 750 },
  });
  verdicts.figure({
    name: 'sensors that reported',
    value: Number(coordinator.stdout),
    unit: '',
    bound: { least: count },
  });
  for (const [name, share] of Object.entries(playing.cpu))
    verdicts.figure({ name: `${name}, while all play`, value: share, unit: '% of a core' });
  client.disconnect();
  for (const agent of agents) agent.child.stdin?.end();
  await Promise.all(agents.map(({ ended }) => ended));
  await redis.end();
}

if (!isInstalled('redis-server')) throw new Error('redis-server is not installed');
const asked = process.argv.slice(2).map(Number);
for (const count of asked.length === 0 ? [200] : asked) await measure(count);
verdicts.finish(join(ROOT, 'bench/runs'));
process.exit();
