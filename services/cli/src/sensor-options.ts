// The options that say which sensors a set is shared by, and how.
import { Option, type Command } from 'commander';
import type { AssignmentRule, SensorPattern } from '@capfleet/shared/dataset/assignment';
import { Failure } from '@capfleet/shared/errors/failure';
import { parseAssignments, parseSensorNames } from './settings.ts';

export interface SensorOptions {
  readonly sensors?: readonly string[];
  readonly assignBy: 'lane' | 'folder' | 'size' | 'flow';
  readonly flowTunnels?: 'inner' | 'outer';
  readonly assign?: readonly SensorPattern[];
}

/** @param meaning of `--sensors` in the help */
export function addSensorOptions(command: Command, meaning: string): Command {
  return command
    .addOption(new Option('--sensors <names>', meaning).argParser(parseSensorNames).conflicts('outInterface'))
    .addOption(
      new Option(
        '--assign-by <rule>',
        'what stays together on one sensor: files, or with flow each conversation, out of all files',
      )
        .choices(['lane', 'folder', 'size', 'flow'])
        .default('lane'),
    )
    .addOption(
      new Option(
        '--flow-tunnels <which>',
        'with --assign-by flow: tunnels by the conversations inside (default), or whole',
      ).choices(['inner', 'outer']),
    )
    .addOption(
      new Option('--assign <sensor=regexp>', 'files of a sensor by their path; repeatable')
        .argParser(parseAssignments)
        .conflicts(['assignBy', 'flowTunnels']),
    );
}

/** @throws Failure `setting-invalid` */
export function ruleOf({ assign, assignBy, flowTunnels }: SensorOptions): AssignmentRule {
  if (assignBy === 'flow') return { by: 'flow', tunnels: flowTunnels ?? 'inner' };
  if (flowTunnels !== undefined) {
    const reason = 'only with --assign-by flow';
    throw new Failure('setting-invalid', { setting: '--flow-tunnels', reason, command: 'replay' });
  }
  return assign ? { by: 'pattern', patterns: assign } : { by: assignBy };
}
