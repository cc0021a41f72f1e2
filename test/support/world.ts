/** A command of the program run in this process, as `main` runs it, for what needs no process of its own. */
import type { verifyCommand } from '@capfleet/cli/commands/verify';
import type { World } from '@capfleet/cli/world';
import { Failure } from '@capfleet/shared/errors/failure';

/** As all commands are. */
type CommandOf = typeof verifyCommand;

export interface Answered {
  /** Exit code. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What the command failed with, which `main` would tell. */
  readonly failure: Failure | null;
}

/** @param args as typed after the command's name */
export async function runCommand(commandOf: CommandOf, args: readonly string[]): Promise<Answered> {
  let [stdout, stderr, code] = ['', '', 0];
  const world = {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    width: undefined,
    interrupted: new AbortController().signal,
    onPause: () => undefined,
    program: '',
    version: '0',
    stateDir: '',
    lastWords: [],
  } as unknown as World;
  const command = commandOf(async (action) => void (code = await action(world)));
  command.exitOverride().configureOutput({ writeErr: (text) => (stderr += text) });
  try {
    await command.parseAsync([...args], { from: 'user' });
    return { code, stdout, stderr, failure: null };
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return { code: thrown.exit, stdout, stderr, failure: thrown };
  }
}
