/** Pages of docs/ that are made from the program: held against it, and written anew with UPDATE_DOCS=1. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';

/** @param name below docs/ */
export async function assertWritten(name: string, markdown: string): Promise<void> {
  const page = new URL(`../../docs/${name}`, import.meta.url);
  const config = await resolveConfig(page);
  const expected = await format(markdown, { ...config, parser: 'markdown' });
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(page, expected);
  assert.equal(readFileSync(page, 'utf8'), expected, 'run this test with UPDATE_DOCS=1');
}

/** A cell of a table: what Markdown would take for a border or a tag is escaped. */
export function cell(text: string): string {
  return text.replace(/[|<>*_]/g, '\\$&').replace(/`[^`]*`/g, (code) => code.replace(/\\([<>*_])/g, '$1'));
}
