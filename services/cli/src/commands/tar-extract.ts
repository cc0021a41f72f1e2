// capfleet tarExtract: takes captures out of a tarball, in one pass and without trusting what is in it.
import { Command, Option } from 'commander';
import { tarMembers } from '@capfleet/shared/archive/tar-members';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { Failure } from '@capfleet/shared/errors/failure';
import { diskSink } from '@capfleet/shared/sink/disk-sink';
import { s3Sink } from '@capfleet/shared/sink/s3-sink';
import { isS3Path } from '@capfleet/shared/source/s3/s3-path';
import { sources } from '@capfleet/shared/source/sources';
import type { PathPattern } from '@capfleet/shared/source/path-pattern';
import { addS3Options, jsonOption, parsePattern, s3Options, type S3CommandOptions } from '../settings.ts';
import { extractProgressBar } from '../show/progress.ts';
import { extractRecord, listHeading, memberLine, memberJson, showExtractResult } from '../show/tar-result.ts';
import { printable } from '../show/text.ts';
import { extractTarball, isDamage, type ExtractResult } from '../tar/extract-tarball.ts';
import type { World } from '../world.ts';

interface TarExtractOptions extends S3CommandOptions {
  readonly inTarball: string;
  readonly fileRegexp?: PathPattern;
  readonly outDir?: string;
  readonly outGzip: boolean;
  readonly overwrite: boolean;
  readonly dryrun: boolean;
  readonly json: boolean;
}

const examples = `Examples:
  capfleet tarExtract --in-tarball captures.tar.gz --dryrun
  capfleet tarExtract --in-tarball s3://captures/set.tar.zst --out-dir s3://captures/set
  capfleet tarExtract --in-tarball captures.tar.gz --file-regexp '2020-09-28.*pcap' --out-dir /mnt/pcap --out-gzip

The tarball may be plain or compressed; that is seen from its content. Sub-folders are kept; empty ones are not made.
Links, devices and names that lead out of the folder are never written. A second member of one name is written as
NAME#2. With --out-gzip a file that is compressed already stays as it is.

Exit codes: 0 all that matched was written, 3 some or all of it was not or is cut off (each is named), 1 the tarball
could not be read or the place not be written, 130 stopped by Ctrl-C; files that were finished by then are whole, others are not there.
`;

export function tarExtractCommand(
  run: (action: (world: World) => Promise<ExitCode>) => Promise<void>,
): Command {
  const command = new Command('tarExtract')
    .description('take captures out of a tarball, by name')
    .requiredOption('--in-tarball <file>', 'tar archive, plain or compressed; also s3://BUCKET/KEY')
    .addOption(
      new Option('--file-regexp <re>', 'only members whose name matches; default: all').argParser(
        parsePattern,
      ),
    )
    .option('--out-dir <dir>', 'folder to write to, made where it is missing; also s3://BUCKET/PREFIX')
    .option('--out-gzip', 'compress each file, and add .gz to its name', false)
    .option('--overwrite', 'replace files that are there already', false)
    .option('--dryrun', 'write nothing: list size, time, and whether the name matches', false);
  return addS3Options(command)
    .addOption(jsonOption())
    .addHelpText('before', examples)
    .action((options: TarExtractOptions) => run((world) => tarExtract(options, world)));
}

async function tarExtract(options: TarExtractOptions, world: World): Promise<ExitCode> {
  if (options.dryrun) return list(options, world);
  const { outDir } = options;
  if (outDir === undefined) {
    const why = 'to know where to write; --dryrun only lists';
    throw new Failure('setting-missing', { setting: '--out-dir', why, command: 'tarExtract' });
  }
  const result = await extract(outDir, options, world);
  if (result.matched === 0) throw result.damage ?? nothingMatches(options);
  world.stdout.write(
    options.json
      ? `${JSON.stringify(extractRecord(result, options.inTarball, outDir), null, 2)}\n`
      : showExtractResult(result, outDir, options.outGzip),
  );
  return result.damage !== null || result.troubles.loses ? exitCode.partial : exitCode.ok;
}

async function extract(outDir: string, options: TarExtractOptions, world: World): Promise<ExtractResult> {
  const s3 = s3Options(options);
  const source = sources(s3);
  const tarball = await source.stat(options.inTarball);
  const sink = isS3Path(outDir) ? s3Sink(outDir, s3) : diskSink(outDir);
  const bar = extractProgressBar(world.stderr, tarball.size);
  try {
    return await extractTarball(source, sink, {
      tarball,
      pattern: options.fileRegexp ?? null,
      gzip: options.outGzip,
      overwrite: options.overwrite,
      signal: world.interrupted,
      onProgress: (consumed, written) => {
        bar.update({ consumed, written });
      },
    });
  } finally {
    bar.stop();
  }
}

/** Prints while it reads, so that a tarball of any size is listed. */
async function list(options: TarExtractOptions, world: World): Promise<ExitCode> {
  const { inTarball, fileRegexp, json } = options;
  const source = sources(s3Options(options));
  const line = json ? memberJson : memberLine;
  if (!json) world.stdout.write(listHeading);
  let listed = 0;
  try {
    for await (const member of tarMembers(source, await source.stat(inTarball), world.interrupted)) {
      world.stdout.write(line(member, fileRegexp?.test(member.name) ?? true));
      listed += 1;
    }
  } catch (thrown) {
    if (!isDamage(thrown) || listed === 0) throw thrown;
    world.stderr.write(`capfleet: ${printable(thrown.message)}\n          ${printable(thrown.hint)}\n`);
    return exitCode.partial;
  }
  return exitCode.ok;
}

function nothingMatches({ inTarball, fileRegexp }: TarExtractOptions): Failure {
  const filter = fileRegexp ? `--file-regexp ${fileRegexp.source}` : 'what is asked for: it is empty';
  return new Failure('no-matching-member', { path: inTarball, filter });
}
