// The manual page, capfleet(1), out of the table of options: man(7) macros and no others, so that any troff takes it.
import type { CommandRow, OptionRow } from './option-table.ts';

export interface ManPage {
  readonly commands: readonly CommandRow[];
  /** What a command ends with, by name. */
  readonly exitCodes: Readonly<Record<string, number>>;
}

const DESCRIPTION = `Capfleet maps packet captures on the workers of a queue, and replays them from many sensors at one instant, with the
timing of the original traffic. Without \\fB\\-\\-redis\\fR or \\fB\\-\\-coordinator\\fR a command starts all it needs on this host, and
ends it. Each option may stand in the environment or in a file (\\fB\\-\\-config\\fR) too; what is typed wins over the environment,
that over the file, and that over the default.`;

const EXAMPLES = [
  'capfleet map --source /mnt/pcap --dump-json meta.json',
  'capfleet replay --dump-json meta.json --out-interface eth1',
  'capfleet replay --dump-json meta.json --redis redis://queue:6379 --sensors a,b',
  'capfleet verify --source meta.json --received far-end.pcap',
];

export function manPage({ commands, exitCodes }: ManPage): string {
  const lines = [
    '.\\" Made from the options: UPDATE_DOCS=1 node --test test/unit/cli/man-page.test.ts',
    '.TH CAPFLEET 1 "" "Capfleet" "User Commands"',
    '.SH NAME',
    'capfleet \\- map packet captures, and replay them on many sensors at one instant',
    '.SH SYNOPSIS',
    '.B capfleet',
    '.I command',
    '.RI [ options ]',
    '.SH DESCRIPTION',
    DESCRIPTION,
    '.SH COMMANDS',
    ...commands.flatMap(({ name, summary }) => ['.TP', `.B ${roff(name)}`, text(summary)]),
    '.SH OPTIONS',
    ...commands.flatMap(({ name, options }) => [
      `.SS capfleet ${roff(name)}`,
      ...options.flatMap((option) => ['.TP', `.B ${roff(option.flags)}`, text(told(option))]),
    ]),
    '.SH ENVIRONMENT',
    'Each option has a variable, named in brackets above. \\fBCAPFLEET_TOKEN\\fR is the token of a coordinator.',
    '.SH EXIT STATUS',
    ...Object.entries(exitCodes).flatMap(([name, code]) => ['.TP', `.B ${String(code)}`, text(name)]),
    '.SH EXAMPLES',
    '.nf',
    ...EXAMPLES.map(text),
    '.fi',
  ];
  return `${lines.join('\n')}\n`;
}

function told({ meaning, choices, standard, variable }: OptionRow): string {
  const among = choices.length === 0 ? '' : ` (${choices.join(', ')})`;
  const unless = standard === null || standard === '' ? '' : `; default: ${standard}`;
  return `${meaning}${among}${unless} [${variable}]`;
}

/** One line whose first character is no request. */
function text(line: string): string {
  return roff(line).replace(/^(?=[.'])/, '\\&');
}

function roff(line: string): string {
  return line.replaceAll(/\s+/g, ' ').replaceAll('\\', '\\e').replaceAll('-', '\\-');
}
