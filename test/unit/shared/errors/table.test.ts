// docs/errors.md is the table of errors and exit codes, written out. UPDATE_DOCS=1 writes it anew.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { errorTable, type ErrorCode } from '@capfleet/shared/errors/codes';
import { exitCode } from '@capfleet/shared/errors/exit-codes';
import { assertWritten, cell } from '../../../support/written-docs.ts';

const ROWS = Object.entries(errorTable) as [ErrorCode, (typeof errorTable)[ErrorCode]][];

const MEANING: Record<keyof typeof exitCode, string> = {
  ok: 'Done, nothing to complain about.',
  failed: 'The command could not do what was asked.',
  usage: 'The command line or configuration is wrong; nothing was started.',
  partial: 'Done, but some files are cut off, damaged or could not be read; the result names them.',
  verdict: 'A replay ended, but its report misses a threshold.',
  interrupted: 'Stopped by Ctrl-C or SIGTERM.',
};

function render(): string {
  const parts = [
    '# Errors and exit codes',
    'Every failure has a code, a message and a way out. The code is stable and stands in `--json` output and in',
    'reports; words in braces are filled in. This page is made from the table in `shared/src/errors/codes.ts`:',
    '`UPDATE_DOCS=1 node --test test/unit/shared/errors/table.test.ts` writes it anew.',
    '',
    '## Exit codes',
    '',
    '| code | name | meaning |',
    '| ---: | --- | --- |',
    ...Object.entries(exitCode).map(
      ([name, code]) => `| ${code} | ${name} | ${MEANING[name as keyof typeof exitCode]} |`,
    ),
    '',
    '## Errors',
    '',
    '| code | message | what to do | exit | HTTP | retried |',
    '| --- | --- | --- | ---: | ---: | --- |',
    ...ROWS.map(
      ([code, { message, hint, exit, status, retryable }]) =>
        `| \`${code}\` | ${cell(message)} | ${cell(hint)} | ${exit} | ${status} | ${retryable ? 'yes' : 'no'} |`,
    ),
    '',
  ];
  const [title = '', ...rest] = parts;
  return `${title}\n\n${rest.join('\n')}`;
}

test('docs/errors.md says what the table says', async () => {
  await assertWritten('errors.md', render());
});

describe('the table of errors', () => {
  test('has exit codes that a process can end with, each meaning one thing', () => {
    const codes = Object.values(exitCode);
    assert.equal(new Set(codes).size, codes.length);
    for (const code of codes) assert.ok(Number.isInteger(code) && code >= 0 && code < 256);
  });

  for (const [code, { message, hint, exit, status }] of ROWS) {
    test(`${code}: has a code in kebab case, a message and a way out`, () => {
      assert.match(code, /^[a-z][a-z0-9]*(-[a-z]+)*$/);
      assert.notEqual(message.trim(), '');
      assert.notEqual(hint.trim(), '');
      assert.doesNotMatch(`${message}${hint}`, /\.$|\n|\bTODO\b/);
      assert.ok((Object.values(exitCode) as number[]).includes(exit) && exit !== exitCode.ok);
      assert.ok(status >= 400 && status < 600);
    });
  }
});
