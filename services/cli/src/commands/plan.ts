// capfleet plan: writes who would play what, for review, and for `capfleet replay --plan`.
import { Command, Option } from 'commander';
import { planDocument, type PlanDocument } from '@capfleet/shared/dataset/plan-file';
import { runDuration } from '@capfleet/shared/dataset/replay-plan';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { sources } from '@capfleet/shared/source/sources';
import { formatDuration } from '@capfleet/shared/time/nanos';
import { checkReplaceable, claimDump, planKind } from '../claim-dump.ts';
import { checkKeeps } from '../keep-inputs.ts';
import { planText } from '../plan-text.ts';
import { addSetOptions, chosenPlans, type SetOptions } from '../set-options.ts';
import {
  addS3Options,
  jsonOption,
  logLevelOption,
  parsePath,
  s3Options,
  type S3CommandOptions,
} from '../settings.ts';
import { formatBytes, formatCount, formatTable } from '../show/text.ts';
import type { CommonOptions, World } from '../world.ts';

interface CommandOptions extends CommonOptions, S3CommandOptions, SetOptions {
  readonly out: string;
  readonly config?: string;
}

const examples = `Examples:
  capfleet plan --dump-json meta.json --sensors a,b --time-modifier 2.5 --out plan.yaml
  capfleet plan --dump-json meta.json --sensors a,b --assign 'a=/rack-1/' --assign 'b=.'
  capfleet replay --plan plan.yaml --redis redis://queue:6379

The plan can be changed before it is played: files may move from sensor to sensor, or go.
`;

export function planCommand(run: (action: (world: World) => Promise<ExitCode>) => Promise<void>): Command {
  const command = addSetOptions(
    new Command('plan').description('write which sensor would play what, to be read, changed and played'),
    'the sensors that shall play, comma-separated',
  ).addOption(
    new Option('--out <file>', 'YAML, or JSON where it is called .json; also s3://BUCKET/KEY')
      .argParser(parsePath)
      .default('plan.yaml'),
  );
  return addS3Options(command)
    .addOption(jsonOption())
    .addOption(logLevelOption('warn'))
    .addHelpText('before', examples)
    .action((options: CommandOptions) => run((world) => plan(options, world)));
}

async function plan(options: CommandOptions, world: World): Promise<ExitCode> {
  const { dumpJson, out, config, sensors } = options;
  await checkKeeps(
    'plan',
    { setting: '--out', path: out },
    { 'the mapping': dumpJson, 'the file of the options': config },
  );
  const source = sources(s3Options(options));
  await checkReplaceable(out, planKind, source);
  const plans = await chosenPlans(options, source);
  const document = planDocument(plans, dumpJson);
  const target = await claimDump(out, s3Options(options));
  await target.commit(onePiece(planText(document, out)));
  if (options.json) {
    world.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  } else {
    const where = sensors ? '--redis URL' : '--out-interface IF';
    world.stdout.write(
      `${showPlan(document)}\nwritten: ${out}\nnext: capfleet replay --plan ${out} ${where}\n`,
    );
  }
  return exitCode.ok;
}

function showPlan({ sensors, byFlow, timeline }: PlanDocument): string {
  const shares = byFlow
    ? [{ sensor: sensors.map(({ sensor }) => sensor).join(', '), files: byFlow.files }]
    : sensors;
  const rows = shares.map(({ sensor, files = [] }) => {
    const packets = files.reduce((sum, file) => sum + file.packets, 0);
    const bytes = files.reduce((sum, file) => sum + (file.fileSize ?? 0), 0);
    return [sensor, formatCount(files.length, 'file'), formatCount(packets, 'packet'), formatBytes(bytes)];
  });
  const duration = runDuration(timeline);
  const time = duration === 0n ? '' : `${formatDuration(duration)} on the wire\n`;
  return `${time}${formatTable(rows, [1, 2, 3])}${byFlow ? 'shared by flow, each conversation on one sensor\n' : ''}`;
}

async function* onePiece(text: string): AsyncGenerator<string> {
  yield await Promise.resolve(text);
}
