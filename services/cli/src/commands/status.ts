// capfleet status: the sensors that are there, and the runs that are kept.
import { Command } from 'commander';
import { redisRunWorld } from '@capfleet/coordinator/adapters/redis-run-world';
import { listRuns } from '@capfleet/coordinator/usecases/list-runs';
import { listSensors } from '@capfleet/coordinator/usecases/list-sensors';
import type { Registration } from '@capfleet/shared/contract/agent-messages';
import type { RunSummary } from '@capfleet/shared/contract/api';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { createLogger } from '@capfleet/shared/log/logger';
import { checkReachable } from '@capfleet/shared/redis/connect';
import { formatDuration } from '@capfleet/shared/time/nanos';
import { coordinatorClient } from '../coordinator-client.ts';
import { addOwnerOptions, checkOwner, jsonOption, logLevelOption, type OwnerOptions } from '../settings.ts';
import { phaseText } from '../show/start-wait.ts';
import { formatCount, formatTable, printable } from '../show/text.ts';
import { tokenOf } from '../token.ts';
import type { CommonOptions, World } from '../world.ts';

type CommandOptions = CommonOptions & OwnerOptions;

interface Status {
  readonly sensors: readonly Registration[];
  readonly runs: readonly RunSummary[];
}

const examples = `Examples:
  capfleet status --redis redis://queue:6379
  capfleet status --coordinator http://127.0.0.1:8470 --token-file token
`;

const MOST_RUNS = 1000;

export function statusCommand(run: (action: (world: World) => Promise<ExitCode>) => Promise<void>): Command {
  return addOwnerOptions(new Command('status'))
    .description('show which sensors are there, and what became of the runs of the last day')
    .addOption(jsonOption())
    .addOption(logLevelOption('warn'))
    .addHelpText('before', examples)
    .action((options: CommandOptions) => run((world) => status(options, world)));
}

async function status(options: CommandOptions, world: World): Promise<ExitCode> {
  const owner = checkOwner(options, 'status');
  const status =
    'url' in owner
      ? await askCoordinator(owner.url, await tokenOf(options, world))
      : await askRedis(owner.redis, options);
  world.stdout.write(options.json ? `${JSON.stringify(status, null, 2)}\n` : showStatus(status, owner.flag));
  return exitCode.ok;
}

async function askCoordinator(url: string, token: string): Promise<Status> {
  const client = coordinatorClient(url, token);
  return { sensors: await client.sensors(), runs: await client.runs() };
}

async function askRedis(redis: string, { logLevel }: CommandOptions): Promise<Status> {
  await checkReachable(redis);
  const world = redisRunWorld(redis, createLogger('status', logLevel));
  try {
    return { sensors: await listSensors(world.channel), runs: await listRuns(world.store, MOST_RUNS) };
  } finally {
    await world.close();
  }
}

function showStatus({ sensors, runs }: Status, flag: string): string {
  const sensorRows = sensors.map(({ sensor, host, interface: name, mtu, up, clock, busyWith }) => [
    `  ${sensor}`,
    printable(`${name} on ${host}`),
    up ? (mtu === null ? 'up' : `up, MTU ${String(mtu)}`) : 'DOWN',
    clock === null ? 'clock not measured' : `clock ± ${formatDuration(BigInt(clock.bound))}`,
    busyWith === null ? 'idle' : `run ${busyWith}`,
  ]);
  const runRows = runs.map(({ run, created, sensors: names, state, phase, start, holds }) => [
    `  ${run}`,
    created,
    formatCount(names.length, 'sensor'),
    (phase === null ? state : phaseText({ phase, start })) + verdictText(state, holds),
  ]);
  const orphan = runs.find(({ state }) => state === 'orphaned');
  return [
    `${formatCount(sensors.length, 'sensor')}\n${formatTable(sensorRows)}`,
    `${formatCount(runs.length, 'run')} of the last day\n${formatTable(runRows)}`,
    orphan ? `\nnext: capfleet stop ${orphan.run} ${flag} URL\n` : '',
  ].join('');
}

/** Of what was stopped, perhaps before its first packet, only that it was not as it should be. */
function verdictText(state: RunSummary['state'], holds: boolean | null): string {
  if (holds === null || (holds && state === 'stopped')) return '';
  return holds ? ', the verdict holds' : ', the verdict does not hold';
}
