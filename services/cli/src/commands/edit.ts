// capfleet edit: writes captures anew, with the same edits that a replay makes on the way.
import { basename, dirname } from 'node:path';
import { Command, Option } from 'commander';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { Failure } from '@capfleet/shared/errors/failure';
import { diskSink } from '@capfleet/shared/sink/disk-sink';
import { s3Sink } from '@capfleet/shared/sink/s3-sink';
import type { Sink } from '@capfleet/shared/sink/sink';
import type { S3Options } from '@capfleet/shared/source/s3/s3-options';
import { formatS3Path, isS3Path, parseS3Path } from '@capfleet/shared/source/s3/s3-path';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import { sources } from '@capfleet/shared/source/sources';
import type { PathPattern } from '@capfleet/shared/source/path-pattern';
import { editCaptures, outputName, type EditOutcome } from '../edit/edit-captures.ts';
import { addEditOptions, editsOf, type EditOptions } from '../edit-options.ts';
import {
  addS3Options,
  jsonOption,
  parsePath,
  parsePattern,
  s3Options,
  type S3CommandOptions,
} from '../settings.ts';
import { editRecord, showEditResult } from '../show/edit-result.ts';
import { editProgressBar } from '../show/progress.ts';
import type { World } from '../world.ts';

interface CommandOptions extends S3CommandOptions, EditOptions {
  readonly source: readonly string[];
  readonly fileRegexp?: PathPattern;
  readonly out?: string;
  readonly outDir?: string;
  readonly overwrite: boolean;
  readonly json: boolean;
}

const examples = `Examples:
  capfleet edit --source a.pcap --out b.pcap --ip-map 10.0.0.0/8=172.0.0.0/8 --port-map 80=8080
  capfleet edit --source cooked.pcapng.gz --out b.pcap --dlt ethernet --mac-dst 02:00:00:00:00:01
  capfleet edit --source s3://captures/2026 --file-regexp 'pcap' --out-dir /mnt/edited --vlan-strip --fix-checksums

Reads every capture that can be mapped, and writes pcap with nanosecond stamps. A replay takes the same options and edits
on the way; nothing needs to be written for that. What is not followed: docs/edit.md.

Exit codes: 0 all is written, 3 some captures or packets are not, or a capture is cut off (each is told), 1 nothing is,
130 stopped by Ctrl-C; files that were finished by then are whole, others are not there.
`;

export function editCommand(run: (action: (world: World) => Promise<ExitCode>) => Promise<void>): Command {
  const command = new Command('edit')
    .description('write captures with other addresses, VLAN tags, ports, TTL, checksums or link type')
    .addOption(
      new Option(
        '--source <captures...>',
        'captures, or folders of them; also s3://BUCKET/KEY',
      ).makeOptionMandatory(),
    )
    .addOption(
      new Option('--file-regexp <re>', 'only files whose path matches; default: all').argParser(parsePattern),
    )
    .addOption(
      new Option('--out <file>', 'write one capture to this file; also s3://BUCKET/KEY')
        .argParser(parsePath)
        .conflicts('outDir'),
    )
    .addOption(
      new Option(
        '--out-dir <dir>',
        'write below this folder, a.pcapng.gz as a.pcap; also s3://BUCKET/PREFIX',
      ).argParser(parsePath),
    )
    .option('--overwrite', 'replace files that are there already', false);
  addEditOptions(command);
  return addS3Options(command)
    .addOption(jsonOption())
    .addHelpText('before', examples)
    .action((options: CommandOptions) => run((world) => edit(options, world)));
}

async function edit(options: CommandOptions, world: World): Promise<ExitCode> {
  const { out, outDir, overwrite } = options;
  if (out === undefined && outDir === undefined) {
    const why = 'to know where to write';
    throw new Failure('setting-missing', { setting: '--out or --out-dir', why, command: 'edit' });
  }
  const s3 = s3Options(options);
  const source = sources(s3);
  const files = await listed(source, options);
  const [sink, name] = out === undefined ? [sinkOf(outDir ?? '', s3), null] : fileIn(out, s3);
  if (name !== null && files.length > 1) {
    const reason = `it takes one capture, there are ${String(files.length)}; --out-dir takes many`;
    throw new Failure('setting-invalid', { setting: '--out', reason, command: 'edit' });
  }
  const bar = editProgressBar(
    world.stderr,
    files.reduce((sum, { size }) => sum + size, 0),
  );
  try {
    const result = await editCaptures(
      source,
      files.map((file) => ({ file, output: name ?? outputName(file.name) })),
      sink,
      {
        plan: editsOf(options),
        overwrite,
        signal: world.interrupted,
        onProgress: (consumed) => {
          bar.update(consumed);
        },
      },
    );
    bar.stop();
    world.stdout.write(
      options.json
        ? `${JSON.stringify(editRecord(result), null, 2)}\n`
        : showEditResult(result, out ?? outDir ?? ''),
    );
    return result.captures.every(isWhole) ? exitCode.ok : exitCode.partial;
  } finally {
    bar.stop();
  }
}

function isWhole(capture: EditOutcome): boolean {
  return 'output' in capture && capture.cutOff === null && capture.written === capture.read;
}

/** In the order in which they were given, folders by name. */
async function listed(source: Source, { source: places, fileRegexp }: CommandOptions): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  for (const place of places) {
    const here: SourceFile[] = [];
    for await (const file of source.list(place, { suffix: '', pattern: fileRegexp ?? null })) here.push(file);
    if (here.length === 0) {
      const filter = fileRegexp ? `--file-regexp ${fileRegexp.source}` : 'anything: it is empty';
      throw new Failure('no-matching-file', { path: place, filter });
    }
    files.push(...here.sort((a, b) => (a.name < b.name ? -1 : 1)));
  }
  return files;
}

function sinkOf(place: string, s3: S3Options): Sink {
  return isS3Path(place) ? s3Sink(place, s3) : diskSink(place);
}

/** A single file as one of the place that holds it. @throws Failure `s3-path-invalid` */
function fileIn(path: string, s3: S3Options): [sink: Sink, name: string] {
  if (!isS3Path(path)) return [diskSink(dirname(path)), basename(path)];
  const { bucket, key } = parseS3Path(path);
  const name = basename(key);
  if (name === '' || key.endsWith('/')) throw new Failure('s3-path-invalid', { path });
  return [s3Sink(formatS3Path({ bucket, key: key.slice(0, -name.length) }), s3), name];
}
