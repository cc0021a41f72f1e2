// capfleet mapper: a worker that maps files for whoever enqueues jobs in the same Redis.
import { Command, Option } from 'commander';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { checkNotTurnedAway } from '@capfleet/shared/redis/turned-away';
import type { ListenAddress } from '@capfleet/shared/service/listen';
import {
  addS3Options,
  logLevelOption,
  metricsListenOption,
  parsePositive,
  redisOption,
  parseSpan,
  rootOption,
  s3Options,
  type S3CommandOptions,
} from '../settings.ts';
import type { CommonOptions, World } from '../world.ts';

interface MapperCommandOptions extends CommonOptions, S3CommandOptions {
  readonly redis: string;
  readonly root: readonly string[];
  readonly concurrency: number;
  readonly jobLock: bigint;
  readonly grace: bigint;
  readonly metricsListen?: ListenAddress;
}

const examples = `Examples:
  capfleet mapper --redis redis://queue:6379
  capfleet mapper --redis redis://queue:6379 --root /mnt/pcap --concurrency 2
  capfleet mapper --redis redis://queue:6379 --root s3://captures/2026 --s3-endpoint https://s3.example.org
`;

export function mapperCommand(run: (action: (world: World) => Promise<ExitCode>) => Promise<void>): Command {
  return addS3Options(
    new Command('mapper')
      .description('run a mapper worker: takes map jobs from a Redis until it is stopped')
      .addOption(redisOption().makeOptionMandatory())
      .addOption(rootOption('folders and S3 prefixes that jobs may read from; / is all'))
      .addOption(
        new Option('--concurrency <n>', 'files mapped side by side in this process')
          .argParser(parsePositive)
          .default(4),
      )
      .addOption(
        new Option('--job-lock <duration>', 'a killed mapper keeps its file from the others this long')
          .argParser(parseSpan)
          .default(10_000_000_000n, '10s'),
      )
      .addOption(
        new Option(
          '--grace <duration>',
          'told to end, it hands back to the others what it cannot finish in this time',
        )
          .argParser(parseSpan)
          .default(20_000_000_000n, '20s'),
      ),
  )
    .addOption(metricsListenOption())
    .addOption(logLevelOption('info'))
    .addHelpText('before', examples)
    .action((options: MapperCommandOptions) =>
      run(async () => {
        await checkNotTurnedAway(options.redis);
        const { runMapper } = await import('@capfleet/mapper/main');
        await runMapper({
          redis: options.redis,
          roots: options.root,
          concurrency: options.concurrency,
          lockMs: Number(options.jobLock / 1_000_000n),
          graceMs: Number(options.grace / 1_000_000n),
          s3: s3Options(options),
          metricsListen: options.metricsListen ?? null,
          logLevel: options.logLevel,
        });
        return exitCode.ok;
      }),
    );
}
