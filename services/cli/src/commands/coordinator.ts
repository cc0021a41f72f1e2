// capfleet coordinator: the service that owns the runs of a cluster, and its HTTP API.
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { checkNotTurnedAway } from '@capfleet/shared/redis/turned-away';
import type { ListenAddress } from '@capfleet/shared/service/listen';
import {
  addS3Options,
  logLevelOption,
  parseListen,
  redisOption,
  rootOption,
  s3Options,
  tokenFileOption,
  type S3CommandOptions,
} from '../settings.ts';
import { tokenOf } from '../token.ts';
import type { CommonOptions, World } from '../world.ts';

interface CommandOptions extends CommonOptions, S3CommandOptions {
  readonly redis: string;
  readonly listen: ListenAddress;
  readonly tokenFile?: string;
  readonly root: readonly string[];
}

const examples = `Examples:
  capfleet coordinator --redis redis://queue:6379 --token-file token   (made by: openssl rand -hex 32 > token; chmod 600 token)
  CAPFLEET_TOKEN=… capfleet coordinator --redis redis://queue:6379 --listen 0.0.0.0:8470

Several of them over one Redis share the runs; one that is stopped or killed leaves its runs to the others, or to itself
when it is started again. The page is at /, the API in docs/coordinator.md, and in its own words at /openapi.json.
`;

export function coordinatorCommand(
  run: (action: (world: World) => Promise<ExitCode>) => Promise<void>,
): Command {
  const command = new Command('coordinator')
    .description(
      'run the coordinator as a service: carries runs through, and serves the HTTP API and the page',
    )
    .addOption(redisOption().makeOptionMandatory())
    .addOption(
      new Option('--listen <address>', 'where API and page are served; TLS is left to a proxy')
        .argParser(parseListen)
        .default({ host: '127.0.0.1', port: 8470 }, '127.0.0.1:8470'),
    )
    .addOption(tokenFileOption())
    .addOption(rootOption('folders and S3 prefixes whose files may be mapped; / is all'));
  return addS3Options(command)
    .addOption(logLevelOption('info'))
    .addHelpText('before', examples)
    .action((options: CommandOptions) =>
      run(async (world) => {
        const { redis, listen, root, logLevel } = options;
        const token = await tokenOf(options, world);
        await checkNotTurnedAway(redis);
        const { runCoordinator } = await import('@capfleet/coordinator/main');
        const s3 = s3Options(options);
        const page = fileURLToPath(new URL('.', import.meta.resolve('@capfleet/web/page/index.html')));
        await runCoordinator({
          redis,
          listen,
          token,
          page,
          roots: root,
          s3,
          version: world.version,
          logLevel,
        });
        return exitCode.ok;
      }),
    );
}
