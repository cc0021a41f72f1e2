// capfleet lanes: shows which capture thread wrote when.
import { Command, Option } from 'commander';
import { laneTimelines, overlaps } from '@capfleet/shared/dataset/lane-timeline';
import type { Span } from '@capfleet/shared/dataset/lanes';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { sources } from '@capfleet/shared/source/sources';
import { formatInstant } from '@capfleet/shared/time/nanos';
import { loadDump } from '../load-dump.ts';
import {
  addS3Options,
  jsonOption,
  logLevelOption,
  parseSpan,
  s3Options,
  type S3CommandOptions,
} from '../settings.ts';
import { showLanes } from '../show/lanes.ts';
import type { CommonOptions, World } from '../world.ts';

interface LanesOptions extends CommonOptions, S3CommandOptions {
  readonly minGap: bigint;
}

const examples = `Examples:
  capfleet lanes meta.json
  capfleet lanes meta.json --min-gap 5m
`;

/** Columns where the output is no terminal. */
const USUAL_WIDTH = 100;

export function lanesCommand(run: (action: (world: World) => Promise<ExitCode>) => Promise<void>): Command {
  const command = new Command('lanes')
    .description(
      'show the time line of a mapping: which capture thread wrote when, pauses, overlaps, disorder',
    )
    .argument('[dump]', 'mapping written by `capfleet map` (or GopherCap)', 'capfleet.json')
    .addOption(
      new Option('--min-gap <duration>', 'pauses up to this long are none')
        .argParser(parseSpan)
        .default(1_000_000_000n, '1s'),
    );
  return addS3Options(command)
    .addOption(jsonOption())
    .addOption(logLevelOption('warn'))
    .addHelpText('before', examples)
    .action((dump: string, options: LanesOptions) =>
      run(async (world) => {
        const set = await loadDump(dump, sources(s3Options(options)));
        const timelines = laneTimelines(set.files, options.minGap);
        const stretches = overlaps(timelines);
        if (options.json) {
          const lanes = timelines.map(({ spans, gaps, outOfOrder, ...lane }) => ({
            ...lane,
            spans: spans.map(inWords),
            gaps: gaps.map(inWords),
            outOfOrder: outOfOrder.map((file) => ({ ...file, ...inWords(file) })),
          }));
          const document = {
            lanes,
            overlaps: stretches.map((stretch) => ({ ...stretch, ...inWords(stretch) })),
          };
          world.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
        } else {
          world.stdout.write(showLanes(set, timelines, stretches, world.width ?? USUAL_WIDTH));
          world.stdout.write(`\nnext: capfleet replay --dump-json ${dump} --out-interface IF\n`);
        }
        return exitCode.ok;
      }),
    );
}

function inWords({ earliest, latest }: Span): { earliest: string; latest: string } {
  return { earliest: formatInstant(earliest), latest: formatInstant(latest) };
}
