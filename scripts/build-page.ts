// Builds the live page into services/web/dist, unless that is newer than all it is made from. The bundler runs in this
// process; it is loaded when there is something to do.
import { existsSync, globSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../services/web');
const SOURCES = [
  'index.html',
  'package.json',
  'vite.config.ts',
  '{src,public}/**/*',
  // The page has some of it.
  '../../shared/src/contract/*.ts',
];
const PAGE = join(ROOT, 'dist/index.html');

const newest = Math.max(
  ...globSync(SOURCES, { cwd: ROOT }).map((path) => statSync(join(ROOT, path)).mtimeMs),
);
if (!existsSync(PAGE) || statSync(PAGE).mtimeMs < newest) {
  const { build } = await import('vite');
  await build({ root: ROOT, logLevel: 'warn' });
}
