// docs/man/capfleet.1 is made from the options (UPDATE_DOCS=1 writes it anew), and is a page that troff takes without a word.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, test } from 'node:test';
import { manPage } from '@capfleet/cli/man-page';
import { optionTable } from '@capfleet/cli/option-table';
import { everyCommand } from '@capfleet/cli/program';
import { exitCode } from '@capfleet/shared/errors/exit-codes';

const PAGE = resolve(import.meta.dirname, '../../../docs/man/capfleet.1');
const groff = spawnSync('groff', ['--version']).status === 0;

describe('the manual page', () => {
  test('is that of the options', async () => {
    const expected = manPage({ commands: optionTable(await everyCommand()), exitCodes: exitCode });
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(PAGE, expected);
    assert.equal(readFileSync(PAGE, 'utf8'), expected, 'run this test with UPDATE_DOCS=1');
  });

  test('has no line that is a request by accident', () => {
    const requests = readFileSync(PAGE, 'utf8').match(/^[.'].*$/gm) ?? [];
    const strange = requests.filter((line) => !/^\.(\\"|TH|SH|SS|TP|B|I|RI|nf|fi)( |$)/.test(line));
    assert.deepEqual(strange, []);
    const titles = requests.filter((line) => line.startsWith('.SH')).map((line) => line.slice(4));
    assert.deepEqual(titles.slice(0, 3), ['NAME', 'SYNOPSIS', 'DESCRIPTION']);
  });

  test('escapes what troff would take for its own', () => {
    const option = {
      flags: '--a <b>',
      key: 'a',
      variable: 'A',
      meaning: "'x\\y",
      standard: null,
      choices: [],
    };
    const page = manPage({ commands: [{ name: 'do', summary: '.so', options: [option] }], exitCodes: {} });
    assert.ok(page.includes('\n\\&.so\n') && page.includes("\n\\&'x\\ey [A]\n"), page);
    assert.ok(page.includes('\n.B \\-\\-a <b>\n'));
  });

  test('is set by groff without a warning', { skip: groff ? false : 'needs groff' }, () => {
    const plain = ['-P-cbou', '-Tutf8'];
    const { stdout, stderr, status } = spawnSync('groff', ['-man', '-Kutf8', ...plain, '-ww', PAGE], {
      encoding: 'utf8',
    });
    assert.deepEqual([status, stderr], [0, '']);
    assert.ok(stdout.includes('--dump-json <file>'), stdout);
  });
});
