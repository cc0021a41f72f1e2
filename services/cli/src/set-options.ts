// The options that say what of which mapping is played, how, and by whom: those of `capfleet replay`, and of `capfleet
// plan`, which keeps for later what they mean.
import { Option, type Command } from 'commander';
import { planReplay, type SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import type { Source } from '@capfleet/shared/source/source';
import { loadDump } from './load-dump.ts';
import { addReplayOptions, onlyFiles, requestOf, type ReplayOptions } from './replay-options.ts';
import { addSensorOptions, ruleOf, type SensorOptions } from './sensor-options.ts';
import { parseSize } from './settings.ts';

export interface SetOptions extends ReplayOptions, SensorOptions {
  readonly dumpJson: string;
  readonly allowDefaultRouteInterface: boolean;
}

/** The one sensor of a replay from this host. */
export const LOCAL_SENSOR = 'local';

/** @param sensors what `--sensors` means, in the help */
export function addSetOptions(command: Command, sensors: string): Command {
  command.option(
    '--dump-json <file>',
    'mapping written by `capfleet map` (or GopherCap), also s3://BUCKET/KEY',
    'capfleet.json',
  );
  return addReplayOptions(addSensorOptions(command, sensors))
    .addOption(
      new Option(
        '--preload [size]',
        'read the files into memory before the start, up to this much, 1GiB where none is given',
      )
        .argParser(parseSize)
        .preset('1GiB'),
    )
    .option('--allow-default-route-interface', "allow the interface of a host's default route", false);
}

/** @throws Failure where there is no such mapping, or nothing of it is played */
export async function chosenPlans(options: SetOptions, source: Source): Promise<SensorPlan[]> {
  const { dumpJson, sensors = [LOCAL_SENSOR], allowDefaultRouteInterface } = options;
  const set = onlyFiles(await loadDump(dumpJson, source), options, dumpJson);
  return planReplay(set, requestOf(options, sensors, ruleOf(options), allowDefaultRouteInterface), dumpJson);
}
