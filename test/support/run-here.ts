/**
 * The program without a process of its own: what is typed is run in the test's, and only the services that it starts
 * are processes. That spares a start, which costs more than most of what is asked of it. What is about the process
 * itself (signals, its environment, how it ends) needs `runCapfleet`.
 */
import { Writable } from 'node:stream';
import { runProgram } from '@capfleet/cli/program';
import { program, type Ended } from './capfleet.ts';

export async function runHere(args: readonly string[]): Promise<Ended> {
  // Services would be started with the options of the test runner.
  process.execArgv = [];
  let stdout = '';
  let stderr = '';
  // No terminal.
  const talk = new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      stderr += text;
      done();
    },
  });
  const code = await runProgram(args, {
    stdout: { write: (text) => (stdout += text) },
    width: undefined,
    stderr: talk,
    interrupted: new AbortController().signal,
    onPause: () => undefined,
    program,
    version: '0.0.0',
    stateDir: '/nonexistent',
    lastWords: [],
  });
  return { code, signal: null, stdout, stderr };
}
