// The options that say which sensors a set is shared by, and how.
import { Option, type Command } from 'commander';
import type { AssignmentRule, SensorPattern } from '@capfleet/shared/dataset/assignment';
import { parseAssignments, parseSensorNames } from './settings.ts';

export interface SensorOptions {
  readonly sensors?: readonly string[];
  readonly assignBy: 'lane' | 'folder' | 'size';
  readonly assign?: readonly SensorPattern[];
}

/** @param meaning of `--sensors` in the help */
export function addSensorOptions(command: Command, meaning: string): Command {
  return command
    .addOption(new Option('--sensors <names>', meaning).argParser(parseSensorNames).conflicts('outInterface'))
    .addOption(
      new Option('--assign-by <rule>', 'what stays together on one sensor')
        .choices(['lane', 'folder', 'size'])
        .default('lane'),
    )
    .addOption(
      new Option('--assign <sensor=regexp>', 'files of a sensor by their path; repeatable').argParser(
        parseAssignments,
      ),
    );
}

export function ruleOf({ assign, assignBy }: SensorOptions): AssignmentRule {
  return assign ? { by: 'pattern', patterns: assign } : { by: assignBy };
}
