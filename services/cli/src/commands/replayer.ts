// capfleet replayer: the agent of one sensor, on the host that injects.
import { Command, Option } from 'commander';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { checkNotTurnedAway } from '@capfleet/shared/redis/turned-away';
import type { ListenAddress } from '@capfleet/shared/service/listen';
import { addPacingOptions, pacingOptions, type PacingCommandOptions } from '../pacing-options.ts';
import {
  addS3Options,
  logLevelOption,
  metricsListenOption,
  parseInterface,
  parseSensorName,
  redisOption,
  rootOption,
  s3Options,
  type S3CommandOptions,
} from '../settings.ts';
import type { CommonOptions, World } from '../world.ts';

interface ReplayerCommandOptions extends CommonOptions, S3CommandOptions, PacingCommandOptions {
  readonly redis: string;
  readonly sensor: string;
  readonly interface: string;
  readonly root: readonly string[];
  readonly allowDefaultRouteInterface: boolean;
  readonly metricsListen?: ListenAddress;
}

const examples = `Examples:
  capfleet replayer --sensor a --interface eth1 --redis redis://queue:6379
  capfleet replayer --sensor a --interface eth1 --redis redis://queue:6379 --root /mnt/pcap
`;

export function replayerCommand(
  run: (action: (world: World) => Promise<ExitCode>) => Promise<void>,
): Command {
  const command = addS3Options(
    new Command('replayer')
      .description('run the replay agent of one sensor: takes plans from a Redis until it is stopped')
      .addOption(
        new Option('--sensor <name>', 'name of the sensor').argParser(parseSensorName).makeOptionMandatory(),
      )
      .addOption(
        new Option(
          '--interface <if>',
          'what to send into: eth1, af_xdp:eth1 (fastest), pcap:eth1, null or file:PATH (a pcap of what goes out)',
        )
          .argParser(parseInterface)
          .makeOptionMandatory(),
      )
      .addOption(redisOption().makeOptionMandatory())
      .addOption(rootOption('folders and S3 prefixes that plans may read from; / is all'))
      .option(
        '--allow-default-route-interface',
        "send into the interface of this host's default route, where a plan asks for it",
        false,
      ),
  );
  return addPacingOptions(command)
    .addOption(metricsListenOption())
    .addOption(logLevelOption('info'))
    .addHelpText('before', examples)
    .action((options: ReplayerCommandOptions) =>
      run(async ({ version }) => {
        await checkNotTurnedAway(options.redis);
        const { runReplayer } = await import('@capfleet/replayer/main');
        const [s3, pacing] = [s3Options(options), pacingOptions(options)];
        const { root: roots, metricsListen = null } = options;
        await runReplayer({ ...options, roots, s3, pacing, metricsListen, version });
        return exitCode.ok;
      }),
    );
}
