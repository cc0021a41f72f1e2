// capfleet map: maps a folder of captures through queue-fed mapper processes and writes the data set.
import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { bullmqMapJobs } from '@capfleet/coordinator/adapters/bullmq-map-jobs';
import { mapDataSet } from '@capfleet/coordinator/usecases/map-data-set';
import { totals, type DataSet } from '@capfleet/shared/dataset/dataset';
import { writeDump } from '@capfleet/shared/dataset/gophercap-json';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { Failure } from '@capfleet/shared/errors/failure';
import { createLogger } from '@capfleet/shared/log/logger';
import { checkReachable, redactUrl } from '@capfleet/shared/redis/connect';
import { isS3Path } from '@capfleet/shared/source/s3/s3-path';
import { sources } from '@capfleet/shared/source/sources';
import { formatInstant } from '@capfleet/shared/time/nanos';
import { claimDump } from '../claim-dump.ts';
import type { DumpTarget } from '../dump-target.ts';
import { startLocal } from '../local/children.ts';
import { startPrivateRedis } from '../local/private-redis.ts';
import {
  addS3Options,
  jsonOption,
  logLevelOption,
  parseCount,
  parsePattern,
  parseSpan,
  redisOption,
  s3Args,
  s3Options,
  type S3CommandOptions,
} from '../settings.ts';
import { showMapResult } from '../show/map-result.ts';
import { mapProgressBar } from '../show/progress.ts';
import type { CommonOptions, World } from '../world.ts';

interface MapOptions extends CommonOptions, S3CommandOptions {
  readonly source?: string;
  readonly dirSrc?: string;
  readonly fileSuffix: string;
  readonly fileRegexp?: RegExp;
  readonly fileWorkers?: number;
  readonly dumpJson: string;
  readonly redis?: string;
  readonly workerTimeout: bigint;
}

const examples = `Examples:
  capfleet map --source /mnt/pcap --dump-json /mnt/pcap/meta.json
  capfleet map --source s3://captures/2026 --s3-endpoint https://s3.example.org --dump-json s3://captures/2026.json
  capfleet map --source /mnt/pcap --file-suffix .pcap --file-regexp '2020-09-2[89]' --file-workers 8
  capfleet map --source /mnt/pcap --redis redis://queue:6379        with \`capfleet mapper\` on any host

Exit codes: 0 all files mapped, 3 some files cut off or not readable (the dump names them), 1 nothing mapped.
`;

export function mapCommand(run: (action: (world: World) => Promise<ExitCode>) => Promise<void>): Command {
  return addS3Options(
    new Command('map')
      .description('map the captures of a folder: time span, packets, bytes, capture threads')
      .option('--source <where>', 'folder of captures, searched recursively; or s3://BUCKET/PREFIX')
      .option('--dir-src <dir>', "the same, under GopherCap's name")
      .option('--file-suffix <suffix>', 'only files with this ending; "" takes all', 'pcap.gz')
      .addOption(new Option('--file-regexp <re>', 'only files whose path matches').argParser(parsePattern))
      .addOption(
        new Option(
          '--file-workers <n>',
          'mapper processes to start; default: one per core, 0 with --redis',
        ).argParser(parseCount),
      )
      .option(
        '--dump-json <file>',
        'where to write the mapping, also s3://BUCKET/KEY; - is stdout',
        'capfleet.json',
      )
      .addOption(redisOption())
      .addOption(
        new Option('--worker-timeout <duration>', 'how long to wait for a first mapper')
          .argParser(parseSpan)
          .default(60_000_000_000n, '60s'),
      ),
  )
    .addOption(jsonOption())
    .addOption(logLevelOption('warn'))
    .addHelpText('before', examples)
    .action((options: MapOptions) => run((world) => map(options, world)));
}

async function map(options: MapOptions, world: World): Promise<ExitCode> {
  const toStdout = options.dumpJson === '-';
  const folder = chooseSource(options);
  const dump = toStdout ? null : await claimDump(options.dumpJson, s3Options(options));
  const set = await mapThroughQueue(folder, options, world);
  const [firstFailure] = set.failed;
  if (set.files.length === 0 && firstFailure) {
    world.stderr.write(showMapResult(set));
    throw new Failure('nothing-mapped', { files: set.failed.length, reason: firstFailure.error.message });
  }
  await write(set, dump, options, world);
  return set.failed.length > 0 || set.files.some(({ map: { status } }) => status === 'partial')
    ? exitCode.partial
    : exitCode.ok;
}

/** The folder in the words of its source: on disk its absolute path, in S3 as it was typed. */
function chooseSource({ source, dirSrc }: MapOptions): string {
  const command = 'map';
  const setting = '--source';
  if (source !== undefined && dirSrc !== undefined)
    throw new Failure('setting-invalid', { setting, reason: 'not together with --dir-src', command });
  const typed = source ?? dirSrc;
  if (typed === undefined)
    throw new Failure('setting-missing', { setting, why: 'to know what to map', command });
  return absolute(typed);
}

function absolute(path: string): string {
  return isS3Path(path) ? path : resolve(path);
}

async function mapThroughQueue(folder: string, options: MapOptions, world: World): Promise<DataSet> {
  if (options.redis !== undefined) await checkReachable(options.redis);
  const privateRedis = options.redis === undefined ? await startPrivateRedis() : null;
  const redis = options.redis ?? privateRedis?.url ?? '';
  const workers = options.fileWorkers ?? (privateRedis ? availableParallelism() : 0);
  // On a shared queue the mappers also get the files of others.
  const root = privateRedis ? ['--root', folder] : [];
  const s3 = s3Options(options);
  const mapperArgs = ['mapper', '--redis', redis, ...root, ...s3Args(s3), '--log-level', options.logLevel];
  const mappers = Array.from({ length: privateRedis ? Math.max(1, workers) : workers }, () =>
    startLocal(world.program, mapperArgs, { restart: true }),
  );
  const bar = mapProgressBar(world.stderr);
  try {
    const jobs = await bullmqMapJobs(redis, randomUUID(), createLogger('map', options.logLevel));
    return await mapDataSet(sources(s3), jobs, {
      folder,
      filter: {
        suffix: options.fileSuffix,
        pattern: options.fileRegexp ?? null,
        except: absolute(options.dumpJson),
      },
      workerTimeoutMs: Number(options.workerTimeout / 1_000_000n),
      redis: redactUrl(redis),
      signal: world.interrupted,
      onProgress: (progress) => {
        bar.update(progress);
      },
    });
  } finally {
    bar.stop();
    await Promise.all(mappers.map((mapper) => mapper.close()));
    await privateRedis?.close();
  }
}

async function write(
  set: DataSet,
  dump: DumpTarget | null,
  options: MapOptions,
  world: World,
): Promise<void> {
  const text = writeDump(set);
  if (!dump) {
    world.stderr.write(showMapResult(set));
    world.stdout.write(text);
    return;
  }
  await dump.commit([text]);
  if (options.json) {
    world.stdout.write(`${JSON.stringify(summary(set, options.dumpJson), null, 2)}\n`);
    return;
  }
  world.stdout.write(showMapResult(set));
  world.stdout.write(
    `\nwritten: ${options.dumpJson}\nnext: capfleet replay --dump-json ${options.dumpJson} --out-interface IF\n`,
  );
}

function summary(set: DataSet, path: string): object {
  const { packets, capturedBytes, wireBytes, fileBytes } = totals(set);
  return {
    dump: absolute(path),
    files: set.files.length,
    partial: set.files.filter(({ map }) => map.status === 'partial').length,
    empty: set.empty.length,
    failed: set.failed.map(({ path: file, error }) => ({ path: file, ...error })),
    packets,
    capturedBytes,
    wireBytes,
    fileBytes,
    beginning: set.span && formatInstant(set.span.earliest),
    end: set.span && formatInstant(set.span.latest),
    lanes: set.lanes,
  };
}
