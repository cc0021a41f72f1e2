// capfleet stop: ends a run, whoever carries it through, and shows its report.
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { redisRunWorld, type OpenRunWorld } from '@capfleet/coordinator/adapters/redis-run-world';
import { resumeRun } from '@capfleet/coordinator/usecases/replay-run';
import type { RunReport } from '@capfleet/shared/contract/report';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { Failure } from '@capfleet/shared/errors/failure';
import { createLogger } from '@capfleet/shared/log/logger';
import { checkReachable } from '@capfleet/shared/redis/connect';
import { coordinatorClient, type CoordinatorClient } from '../coordinator-client.ts';
import { stopRun } from '../followed-run.ts';
import { runOfPrefix } from '../run-prefix.ts';
import { addOwnerOptions, checkOwner, jsonOption, logLevelOption, type OwnerOptions } from '../settings.ts';
import { showReport } from '../show/report.ts';
import { tokenOf } from '../token.ts';
import type { CommonOptions, World } from '../world.ts';

type CommandOptions = CommonOptions & OwnerOptions;

const examples = `Examples:
  capfleet stop 3f6c2c1e-6a0e-4f0c-9f5e-0d9d7c1f2a34 --redis redis://queue:6379
  capfleet stop 3f6c --redis redis://queue:6379
  CAPFLEET_TOKEN=… capfleet stop 3f6c2c1e-6a0e-4f0c-9f5e-0d9d7c1f2a34 --coordinator http://queue:8470

Every sensor that can be reached stops within 200 ms and reports. Also for a run whose coordinator is gone.

Exit codes: 0 stopped, or over already; 1 there is no such run, or no report came.
`;

const LOOK_MS = 100;
const MOST_RUNS = 1000;
/** What stopping may take, and a coordinator to notice. */
const PATIENCE_MS = 15_000;

export function stopCommand(run: (action: (world: World) => Promise<ExitCode>) => Promise<void>): Command {
  return addOwnerOptions(new Command('stop'))
    .description('end a run: every sensor stops, and the report comes')
    .argument('<run>', 'as `capfleet status` and reports name it, or at least 4 characters of its beginning')
    .addOption(jsonOption())
    .addOption(logLevelOption('warn'))
    .addHelpText('before', examples)
    .action((name: string, options: CommandOptions) => run((world) => stop(name, options, world)));
}

async function stop(name: string, options: CommandOptions, world: World): Promise<ExitCode> {
  const owner = checkOwner(options, 'stop');
  const report =
    'url' in owner
      ? await stopThrough(coordinatorClient(owner.url, await tokenOf(options, world)), name, world)
      : await stopIn(owner.redis, name, options, world);
  world.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : showReport(report));
  return exitCode.ok;
}

async function stopThrough(
  client: CoordinatorClient,
  name: string,
  { interrupted }: World,
): Promise<RunReport> {
  const run = await runOfPrefix(name, () => client.runs());
  return stopRun(client, encodeURIComponent(run), interrupted);
}

async function stopIn(
  redis: string,
  name: string,
  { logLevel }: CommandOptions,
  world: World,
): Promise<RunReport> {
  await checkReachable(redis);
  const runs = redisRunWorld(redis, createLogger('stop', logLevel));
  try {
    const run = await runOfPrefix(name, async () =>
      (await runs.store.list(MOST_RUNS)).map(({ record }) => record),
    );
    await runs.store.load(run);
    return (await runs.store.report(run)) ?? (await ended(runs, run, world));
  } finally {
    await runs.close();
  }
}

async function ended(runs: OpenRunWorld, run: string, { interrupted }: World): Promise<RunReport> {
  const { store } = runs;
  await store.askToStop(run);
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    interrupted.throwIfAborted();
    const report = await store.report(run);
    if (report) return report;
    if (!(await store.isHeld(run))) return resumeRun(runs, run, { interrupted, onChange: () => undefined });
    await sleep(LOOK_MS);
  }
  throw new Failure('run-unreported', { run });
}
