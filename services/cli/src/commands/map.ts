// capfleet map: maps the captures of a source through queue-fed mapper processes and writes the data set.
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Command, Option } from 'commander';
import { bullmqMapJobs } from '@capfleet/coordinator/adapters/bullmq-map-jobs';
import type { JournalFile } from '@capfleet/coordinator/adapters/journal-file';
import { mapDataSet } from '@capfleet/coordinator/usecases/map-data-set';
import type { MappedSet } from '@capfleet/coordinator/usecases/mapped-set';
import { dumpText } from '@capfleet/shared/dataset/gophercap-json';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { Failure } from '@capfleet/shared/errors/failure';
import { createLogger } from '@capfleet/shared/log/logger';
import { checkReachable, redactUrl } from '@capfleet/shared/redis/connect';
import { isS3Path } from '@capfleet/shared/source/s3/s3-path';
import type { SourceFilter } from '@capfleet/shared/source/source';
import { sources } from '@capfleet/shared/source/sources';
import { formatInstant } from '@capfleet/shared/time/nanos';
import type { PathPattern } from '@capfleet/shared/source/path-pattern';
import { checkReplaceable, claimDump, mappingKind } from '../claim-dump.ts';
import { inBlocks, type DumpTarget } from '../dump-target.ts';
import { journalFor } from '../journal.ts';
import { startLocal } from '../local/children.ts';
import { startPrivateRedis } from '../local/private-redis.ts';
import {
  addS3Options,
  coordinatorOption,
  tokenFileOption,
  jsonOption,
  logLevelOption,
  parseCount,
  parsePath,
  parsePattern,
  parseSize,
  parseSpan,
  redisOption,
  s3Args,
  s3Options,
  type S3CommandOptions,
} from '../settings.ts';
import { formatMapping, mapFormats, type MapFormat } from '../show/map-formats.ts';
import { showMapResult } from '../show/map-result.ts';
import { countPartial, viewMapping } from '../show/map-view.ts';
import { mapThrough } from '../map-through.ts';
import { tokenOf } from '../token.ts';
import { coordinatorClient } from '../coordinator-client.ts';
import { mapProgressBar } from '../show/progress.ts';
import type { CommonOptions, World } from '../world.ts';

interface MapOptions extends CommonOptions, S3CommandOptions {
  readonly source?: string;
  readonly dirSrc?: string;
  readonly fileSuffix: string;
  readonly fileRegexp?: PathPattern;
  readonly fileWorkers?: number;
  readonly dumpJson: string;
  readonly format?: MapFormat;
  readonly quick: boolean;
  readonly splitSize?: number;
  readonly fresh: boolean;
  readonly stateDir?: string;
  readonly redis?: string;
  readonly workerTimeout: bigint;
  readonly coordinator?: string;
  readonly tokenFile?: string;
  readonly set?: string;
}

/** Of mappers that end with the command, which waits for them a little longer. */
const LOCAL_GRACE = '10s';

const examples = `Examples:
  capfleet map --source /mnt/pcap --dump-json /mnt/pcap/meta.json
  capfleet map --source s3://captures/2026 --s3-endpoint https://s3.example.org --dump-json s3://captures/2026.json
  capfleet map --source /mnt/pcap --file-suffix .pcap --file-regexp '2020-09-2[89]' --file-workers 8
  capfleet map --source /mnt/pcap --redis redis://queue:6379       with \`capfleet mapper\` on any host
  capfleet map --source /mnt/pcap --coordinator http://coordinator:8470 --set lab --token-file token

The same command again brings the dump up to date: files that did not change are not read again. A mapping that was
cut short goes on where it was.

Exit codes: 0 all files mapped, 3 some files cut off or not readable (the dump names them), 1 nothing mapped.
`;

export function mapCommand(run: (action: (world: World) => Promise<ExitCode>) => Promise<void>): Command {
  const command = new Command('map')
    .description('map captures: time span, packets, bytes, capture threads')
    .addOption(
      new Option(
        '--source <where>',
        'folder of captures (searched recursively), one file, or s3://BUCKET/PREFIX',
      ).argParser(parsePath),
    )
    .addOption(new Option('--dir-src <dir>', 'the same, in the words of GopherCap').argParser(parsePath))
    .option('--file-suffix <suffix>', 'only files with this ending; "" takes all', 'pcap.gz')
    .addOption(new Option('--file-regexp <re>', 'only files whose path matches').argParser(parsePattern))
    .addOption(
      new Option(
        '--file-workers <n>',
        'mapper processes to start; default: one per core, 0 with --redis',
      ).argParser(parseCount),
    )
    .addOption(
      new Option('--dump-json <file>', 'where to write the mapping, also s3://BUCKET/KEY; - is stdout')
        .argParser(parsePath)
        .default('capfleet.json'),
    )
    .addOption(
      new Option('--format <form>', 'what to print on stdout instead of the summary').choices(mapFormats),
    )
    .option('--quick', 'estimate uncompressed captures from their two ends, where that is safe', false)
    .addOption(
      new Option('--split-size <bytes>', 'map uncompressed files above this in parts, as 1GiB').argParser(
        parseSize,
      ),
    )
    .option('--fresh', 'read every file, whatever the dump that is there knows', false)
    .option('--state-dir <dir>', 'folder for the journal of a mapping that is under way')
    .addOption(redisOption())
    .addOption(coordinatorOption().conflicts(['redis', 'fileWorkers', 'format', 'fresh', 'stateDir']))
    .addOption(tokenFileOption())
    .option('--set <name>', 'with --coordinator: the name that the set gets there')
    .addOption(
      new Option('--worker-timeout <duration>', 'how long to wait for a first mapper')
        .argParser(parseSpan)
        .default(60_000_000_000n, '60s'),
    );
  return addS3Options(command)
    .addOption(jsonOption())
    .addOption(logLevelOption('warn'))
    .addHelpText('before', examples)
    .action((options: MapOptions) => run((world) => map(options, world)));
}

/** The service and its mappers read the source; they have their own ways to S3. */
async function mapElsewhere(url: string, options: MapOptions, world: World): Promise<ExitCode> {
  const { set, fileRegexp, splitSize, dumpJson, json } = options;
  if (set === undefined) {
    const why = 'with --coordinator: the name that the set gets there';
    throw new Failure('setting-missing', { setting: '--set', why, command: 'map' });
  }
  if (dumpJson === '-') {
    const reason = 'not stdout with --coordinator; its API gives the mapping of a set';
    throw new Failure('setting-invalid', { setting: '--dump-json', reason, command: 'map' });
  }
  const s3 = s3Options(options);
  await checkReplaceable(dumpJson, mappingKind, sources(s3));
  const request = {
    set,
    source: sourceOf(options),
    suffix: options.fileSuffix,
    pattern: fileRegexp?.source ?? null,
    quick: options.quick,
    splitSize: splitSize ?? null,
    workerTimeout: `${String(options.workerTimeout)}ns`,
  };
  const client = coordinatorClient(url, await tokenOf(options, world));
  return mapThrough(client, { request, dumpJson, s3, json }, world);
}

async function map(options: MapOptions, world: World): Promise<ExitCode> {
  if (options.coordinator !== undefined) return mapElsewhere(options.coordinator, options, world);
  checkOutputs(options);
  // What it holds grows slowly and its garbage fast: the heap is to be cleared, not grown, as far as possible.
  setFlagsFromString('--optimize-for-size');
  const source = sourceOf(options);
  if (options.dumpJson !== '-')
    await checkReplaceable(options.dumpJson, mappingKind, sources(s3Options(options)));
  const dump = options.dumpJson === '-' ? null : await claimDump(options.dumpJson, s3Options(options));
  const filter: SourceFilter = {
    suffix: options.fileSuffix,
    pattern: options.fileRegexp ?? null,
    except: absolute(options.dumpJson),
  };
  const journal = await journalFor(sources(s3Options(options)), {
    dump: options.dumpJson === '-' ? null : absolute(options.dumpJson),
    reuse: !options.fresh,
    mapping: JSON.stringify([source, filter.suffix, filter.pattern?.source ?? null, options.quick]),
    stateDir: options.stateDir,
    usualStateDir: world.stateDir,
  });
  let outcome: ExitCode | Failure;
  try {
    const set = await mapThroughQueue(source, filter, journal, options, world);
    outcome = await conclude(set, dump, options, world);
    await journal.remove();
  } catch (thrown) {
    if (await journal.close())
      world.lastWords.push('what was mapped is kept: the same command goes on from there');
    throw thrown;
  }
  if (outcome instanceof Failure) throw outcome;
  return outcome;
}

/** One result goes to stdout. @throws Failure `setting-invalid` */
function checkOutputs({ dumpJson, format, json }: MapOptions): void {
  const wanted = [
    ...(dumpJson === '-' ? ['--dump-json -'] : []),
    ...(format === undefined ? [] : ['--format']),
    ...(json ? ['--json'] : []),
  ];
  const [first, second] = wanted;
  if (first === undefined || second === undefined) return;
  throw new Failure('setting-invalid', {
    setting: second,
    reason: `not together with ${first}: both would go to stdout`,
    command: 'map',
  });
}

function sourceOf({ source, dirSrc }: MapOptions): string {
  const given = source ?? dirSrc;
  if (given === undefined)
    throw new Failure('setting-missing', { setting: '--source', why: 'to know what to map', command: 'map' });
  if (source !== undefined && dirSrc !== undefined) {
    const reason = 'not together with --dir-src, which is the same';
    throw new Failure('setting-invalid', { setting: '--source', reason, command: 'map' });
  }
  return absolute(given);
}

function absolute(path: string): string {
  return isS3Path(path) ? path : resolve(path);
}

async function mapThroughQueue(
  source: string,
  filter: SourceFilter,
  journal: JournalFile,
  options: MapOptions,
  world: World,
): Promise<MappedSet> {
  if (options.redis !== undefined) await checkReachable(options.redis);
  const privateRedis = options.redis === undefined ? await startPrivateRedis() : null;
  const redis = options.redis ?? privateRedis?.url ?? '';
  const workers = options.fileWorkers ?? (privateRedis ? availableParallelism() : 0);
  const s3 = s3Options(options);
  const mapperArgs = [
    ...['mapper', ...s3Args(s3)],
    ...['--grace', LOCAL_GRACE, '--log-level', options.logLevel],
  ];
  const mappers = Array.from({ length: privateRedis ? Math.max(1, workers) : workers }, () =>
    startLocal(world.program, mapperArgs, {
      restart: true,
      env: { ...world.inherited, CAPFLEET_REDIS: redis },
    }),
  );
  const bar = mapProgressBar(world.stderr);
  const mappersGone = new AbortController();
  try {
    const { request } = journal;
    const jobs = bullmqMapJobs(
      redis,
      { request, quick: options.quick, splitSize: options.splitSize ?? null },
      createLogger('map', options.logLevel),
    );
    const mapping = mapDataSet(sources(s3), jobs, journal, {
      source,
      filter,
      quick: options.quick,
      workerTimeoutMs: Number(options.workerTimeout / 1_000_000n),
      redis: redactUrl(redis),
      signal: AbortSignal.any([world.interrupted, mappersGone.signal]),
      onProgress: (progress) => {
        bar.update(progress);
      },
    });
    if (privateRedis) {
      void Promise.all(mappers.map(({ ended }) => ended)).then(() => {
        mappersGone.abort(new Failure('mappers-ended'));
      });
    }
    return await mapping;
  } finally {
    bar.stop();
    await Promise.all(mappers.map((mapper) => mapper.close()));
    await privateRedis?.close();
  }
}

/** Writes and shows what was mapped; a failure where that is nothing. */
async function conclude(
  set: MappedSet,
  dump: DumpTarget | null,
  options: MapOptions,
  world: World,
): Promise<ExitCode | Failure> {
  const { timed, failed } = set.rows;
  const [firstFailure] = failed;
  if (timed.length === 0 && firstFailure) {
    world.stderr.write(showMapResult(await viewMapping(set)));
    const first = await set.mapOf(firstFailure);
    const reason = first.status === 'failed' ? first.error.message : '';
    return new Failure('nothing-mapped', { files: failed.length, reason });
  }
  await write(set, dump, options, world);
  return failed.length > 0 || countPartial(set) > 0 ? exitCode.partial : exitCode.ok;
}

async function write(
  set: MappedSet,
  dump: DumpTarget | null,
  options: MapOptions,
  world: World,
): Promise<void> {
  await dump?.commit(inBlocks(dumpText(set)));
  const format = options.format ?? (dump ? undefined : 'json');
  if (format !== undefined) {
    world.stderr.write(showMapResult(await viewMapping(set)));
    for await (const block of inBlocks(formatMapping(format, set))) world.stdout.write(block);
    return;
  }
  if (options.json) {
    world.stdout.write(`${JSON.stringify(await summary(set, options.dumpJson), null, 2)}\n`);
    return;
  }
  world.stdout.write(showMapResult(await viewMapping(set)));
  world.stdout.write(
    `\nwritten: ${options.dumpJson}\nnext: capfleet replay --dump-json ${options.dumpJson} --out-interface IF\n`,
  );
}

async function summary(set: MappedSet, path: string): Promise<object> {
  const { packets, capturedBytes, wireBytes, fileBytes, files } = set.totals;
  const failed: object[] = [];
  for await (const map of set.failed)
    if (map.status === 'failed') failed.push({ path: map.path, ...map.error });
  return {
    dump: absolute(path),
    files,
    reused: set.reused,
    partial: countPartial(set),
    empty: set.rows.empty.length,
    archives: set.rows.archives.length,
    failed,
    packets,
    capturedBytes,
    wireBytes,
    fileBytes,
    beginning: set.span && formatInstant(set.span.earliest),
    end: set.span && formatInstant(set.span.latest),
    lanes: set.lanes,
  };
}
