// capfleet status: the sensors that are there, and the runs that are kept.
import { Command } from 'commander';
import { redisRunWorld } from '@capfleet/coordinator/adapters/redis-run-world';
import type { Registration } from '@capfleet/shared/contract/agent-messages';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { createLogger } from '@capfleet/shared/log/logger';
import { checkReachable } from '@capfleet/shared/redis/connect';
import { formatDuration, formatInstant } from '@capfleet/shared/time/nanos';
import { jsonOption, logLevelOption, redisOption } from '../settings.ts';
import { formatCount, formatTable, printable } from '../show/text.ts';
import type { CommonOptions, World } from '../world.ts';

interface CommandOptions extends CommonOptions {
  readonly redis: string;
}

interface RunStatus {
  readonly run: string;
  /** RFC 3339, by the reference clock. */
  readonly created: string;
  readonly sensors: readonly string[];
  /** `orphaned`: nobody carries it through. */
  readonly state: 'under way' | 'orphaned' | 'done' | 'stopped' | 'cancelled' | 'failed';
  readonly holds: boolean | null;
}

const examples = `Examples:
  capfleet status --redis redis://queue:6379
`;

export function statusCommand(run: (action: (world: World) => Promise<ExitCode>) => Promise<void>): Command {
  return new Command('status')
    .description('show which sensors are there, and what became of the runs of the last day')
    .addOption(redisOption().makeOptionMandatory())
    .addOption(jsonOption())
    .addOption(logLevelOption('warn'))
    .addHelpText('before', examples)
    .action((options: CommandOptions) => run((world) => status(options, world)));
}

async function status({ redis, json, logLevel }: CommandOptions, { stdout }: World): Promise<ExitCode> {
  await checkReachable(redis);
  const world = redisRunWorld(redis, createLogger('status', logLevel));
  const { channel, store } = world;
  try {
    const registered = await channel.registrations();
    const sensors = [...registered.values()].sort((a, b) => (a.sensor < b.sensor ? -1 : 1));
    const runs: RunStatus[] = [];
    for (const { run, created, sensors: names } of await store.runs()) {
      const report = await store.report(run);
      const state = report?.outcome ?? ((await store.isHeld(run)) ? 'under way' : 'orphaned');
      const holds = report?.verdict.holds ?? null;
      runs.push({ run, created: formatInstant(BigInt(created)), sensors: names, state, holds });
    }
    stdout.write(json ? `${JSON.stringify({ sensors, runs }, null, 2)}\n` : showStatus(sensors, runs));
    return exitCode.ok;
  } finally {
    await world.close();
  }
}

function showStatus(sensors: readonly Registration[], runs: readonly RunStatus[]): string {
  const sensorRows = sensors.map(({ sensor, host, interface: name, mtu, up, clock, busyWith }) => [
    `  ${sensor}`,
    printable(`${name} on ${host}`),
    up ? (mtu === null ? 'up' : `up, MTU ${String(mtu)}`) : 'DOWN',
    clock === null ? 'clock not measured' : `clock ± ${formatDuration(BigInt(clock.bound))}`,
    busyWith === null ? 'idle' : `run ${busyWith}`,
  ]);
  const runRows = runs.map(({ run, created, sensors: names, state, holds }) => [
    `  ${run}`,
    created,
    formatCount(names.length, 'sensor'),
    state + (holds === null ? '' : holds ? ', the verdict holds' : ', the verdict does not hold'),
  ]);
  const orphan = runs.find(({ state }) => state === 'orphaned');
  return [
    `${formatCount(sensors.length, 'sensor')}\n${formatTable(sensorRows)}`,
    `${formatCount(runs.length, 'run')} of the last day\n${formatTable(runRows)}`,
    orphan ? `\nnext: capfleet stop ${orphan.run} --redis URL\n` : '',
  ].join('');
}
