// The options that say how the pacing thread of a host works: of its agent, and of a replay that starts one.
import { Option, type Command } from 'commander';
import { plainPacing, spinModes, stampModes, type PacingOptions } from '@capfleet/replayer/pacing-options';
import { parseCount } from './settings.ts';

/** As commander gives them. */
export interface PacingCommandOptions {
  readonly spin: PacingOptions['spin'];
  readonly realtime?: boolean;
  readonly cpu?: number;
  readonly txStamps: PacingOptions['txStamps'];
}

export function addPacingOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--spin <mode>',
        'before a packet is due: only sleep, spin as long as this host needs, or 1ms',
      )
        .choices([...spinModes])
        .default(plainPacing.spin),
    )
    .option('--realtime', 'refuse to play without the real-time class; by default it is taken where allowed')
    .option('--no-realtime', 'leave the pacing thread in the ordinary class')
    .addOption(new Option('--cpu <n>', 'the processor that packets are paced on').argParser(parseCount))
    .addOption(
      new Option('--tx-stamps <which>', 'of which packets the kernel tells when they left, for the report')
        .choices([...stampModes])
        .default(plainPacing.txStamps),
    );
}

export function pacingOptions({ spin, realtime, cpu, txStamps }: PacingCommandOptions): PacingOptions {
  return { spin, realtime: realtime ?? null, cpu: cpu ?? null, txStamps };
}

/** The same as they would be typed, for a process started in turn; empty where none was. */
export function pacingArgs({ spin, realtime, cpu, txStamps }: PacingOptions): string[] {
  return [
    ...(spin === plainPacing.spin ? [] : ['--spin', spin]),
    ...(realtime === null ? [] : [realtime ? '--realtime' : '--no-realtime']),
    ...(cpu === null ? [] : ['--cpu', String(cpu)]),
    ...(txStamps === plainPacing.txStamps ? [] : ['--tx-stamps', txStamps]),
  ];
}
