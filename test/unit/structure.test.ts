// Holds who may import whom, over all sources, types included. Each rule is also shown to bite: a small tree
// that breaks it, and only it, is written to a temporary folder.

import assert from 'node:assert/strict';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { cruise } from 'dependency-cruiser';
import type { ICruiseOptions, ICruiseResult } from 'dependency-cruiser';
import { tempDir } from '../support/temp-dir.ts';

type Rules = NonNullable<NonNullable<ICruiseOptions['ruleSet']>['forbidden']>;

const ROOT = resolve(import.meta.dirname, '../..');
const WORKSPACES = [
  'shared',
  'services/coordinator',
  'services/mapper',
  'services/replayer',
  'services/web',
  'services/cli',
];
const PURE = '^shared/src/(time|dataset|capture|edit|flow|errors|contract)/';
const SERVICE = '^services/([^/]+)/';

function thirdParty(...names: string[]): string {
  return `(^|/)(${names.join('|')})($|/)`;
}

const RULES: Rules = [
  { name: 'no circle', severity: 'error', from: {}, to: { circular: true } },
  { name: 'every import is found', severity: 'error', from: {}, to: { couldNotResolve: true } },
  { name: 'shared knows no service', severity: 'error', from: { path: '^shared/' }, to: { path: SERVICE } },
  {
    name: 'no service imports another, the command line excepted',
    severity: 'error',
    from: { path: SERVICE, pathNot: '^services/cli/' },
    to: { path: SERVICE, pathNot: '^services/$1/' },
  },
  {
    name: 'pure folders of shared need no client, no file, no network',
    severity: 'error',
    from: { path: PURE },
    to: { path: [thirdParty('ioredis', 'bullmq', 'pino'), '^(node:)?(fs|net)($|/)'] },
  },
  {
    name: 'clients live in adapters',
    severity: 'error',
    from: { path: SERVICE, pathNot: ['^services/cli/', '/adapters/', '/src/(main|worker)\\.ts$'] },
    to: { path: thirdParty('ioredis', 'bullmq', 'pcap') },
  },
  {
    name: 'a domain is pure',
    severity: 'error',
    from: { path: `${SERVICE}src/domain/` },
    to: { pathNot: ['^services/$1/src/domain/', PURE] },
  },
];

async function cruiseTree(root: string): Promise<ICruiseResult> {
  // A package's exports name compiled files; the sources behind them are what is looked at.
  const alias = Object.fromEntries(
    WORKSPACES.map((path) => [`@capfleet/${path.replace('services/', '')}`, join(root, path, 'src')]),
  );
  const { output } = await cruise(
    globSync('{shared,services/*}/src/**/*.ts', { cwd: root }),
    {
      baseDir: root,
      ruleSet: { forbidden: RULES },
      validate: true,
      tsPreCompilationDeps: true,
      combinedDependencies: true,
      doNotFollow: { path: 'node_modules' },
    },
    {
      alias,
      extensions: ['.ts', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'default'],
    },
  );
  assert.ok(typeof output !== 'string');
  return output;
}

function describeViolations(result: ICruiseResult): string[] {
  return result.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`);
}

/** Files that read the environment although they are handed their settings by main.ts. */
function environmentReaders(root: string): string[] {
  return globSync('{shared,services/*}/src/**/*.ts', { cwd: root })
    .filter((file) => !/\/src\/(main\.ts$|config\/)/.test(file))
    .filter((file) => /\bprocess\s*(\.\s*env\b|\[\s*['"]env)/.test(readFileSync(join(root, file), 'utf8')))
    .sort();
}

function writeTree(root: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

/** What stands in for the packages that a seeded tree imports. */
function packages(...names: string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => [
      [`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' })],
      [`node_modules/${name}/index.js`, 'exports.x = 1;\n'],
    ]),
  );
}

describe('the sources', () => {
  test('keep the import directions', async () => {
    const result = await cruiseTree(ROOT);
    assert.deepEqual(describeViolations(result), []);
    // Guards against a cruise that sees nothing: services reach the sources of shared.
    const edges = result.modules.flatMap(({ source, dependencies }) =>
      dependencies.map(({ resolved }) => `${source} ${resolved}`),
    );
    assert.ok(edges.some((edge) => /^services\/\S+ shared\/src\//.test(edge)));
  });

  test('read the environment in main.ts and config alone', () => {
    assert.deepEqual(environmentReaders(ROOT), []);
  });
});

const SHARED = { 'shared/src/time/nanos.ts': 'export const x = 1;\nexport type X = number;\n' };
const SEEDED: { breaks: string; files: Record<string, string>; expected: string[] }[] = [
  {
    breaks: 'nothing',
    files: {
      ...packages('ioredis'),
      'shared/src/source/disk.ts': `import 'node:fs';\nimport '../time/nanos.ts';\n`,
      'services/mapper/src/adapters/redis.ts': `import { x } from 'ioredis';\nexport const y = x;\n`,
      'services/mapper/src/main.ts': `import './adapters/redis.ts';\n`,
      'services/coordinator/src/domain/a.ts': `import { x } from '@capfleet/shared/time/nanos';\nexport const a = x;\n`,
      'services/cli/src/main.ts': `import '@capfleet/coordinator/domain/a';\n`,
    },
    expected: [],
  },
  {
    breaks: 'a circle through types',
    files: {
      'shared/src/time/a.ts': `import type { B } from './b.ts';\nexport type A = B;\n`,
      'shared/src/time/b.ts': `import type { A } from './a.ts';\nexport type B = A;\n`,
    },
    expected: ['no circle: shared/src/time/a.ts -> shared/src/time/b.ts'],
  },
  {
    breaks: 'an import that leads nowhere',
    files: { 'services/mapper/src/a.ts': `import '@capfleet/shared/time/gone';\n` },
    expected: ['every import is found: services/mapper/src/a.ts -> @capfleet/shared/time/gone'],
  },
  {
    breaks: 'shared importing a service',
    files: {
      'services/mapper/src/a.ts': 'export type A = 1;\n',
      'shared/src/log/b.ts': `import type { A } from '@capfleet/mapper/a';\nexport type B = A;\n`,
    },
    expected: ['shared knows no service: shared/src/log/b.ts -> services/mapper/src/a.ts'],
  },
  {
    breaks: 'a service importing another',
    files: {
      'services/mapper/src/a.ts': 'export type A = 1;\n',
      'services/replayer/src/b.ts': `import type { A } from '@capfleet/mapper/a';\nexport type B = A;\n`,
    },
    expected: [
      'no service imports another, the command line excepted: services/replayer/src/b.ts -> services/mapper/src/a.ts',
    ],
  },
  {
    breaks: 'a pure folder reading files',
    files: { 'shared/src/capture/a.ts': `import 'node:fs/promises';\n` },
    expected: [
      'pure folders of shared need no client, no file, no network: shared/src/capture/a.ts -> fs/promises',
    ],
  },
  {
    breaks: 'a pure folder logging',
    files: {
      ...packages('pino'),
      'shared/src/dataset/a.ts': `import type { x } from 'pino';\nexport type A = x;\n`,
    },
    expected: [
      'pure folders of shared need no client, no file, no network: shared/src/dataset/a.ts -> node_modules/pino/index.js',
    ],
  },
  {
    breaks: 'a client in a use case',
    files: {
      ...packages('bullmq'),
      'services/coordinator/src/usecases/a.ts': `import { x } from 'bullmq';\nexport const y = x;\n`,
    },
    expected: [
      'clients live in adapters: services/coordinator/src/usecases/a.ts -> node_modules/bullmq/index.js',
    ],
  },
  {
    breaks: 'a domain reaching for its adapters and for Node',
    files: {
      'services/replayer/src/adapters/b.ts': 'export const b = 1;\n',
      'services/replayer/src/domain/a.ts': `import '../adapters/b.ts';\nimport 'node:os';\n`,
    },
    expected: [
      'a domain is pure: services/replayer/src/domain/a.ts -> os',
      'a domain is pure: services/replayer/src/domain/a.ts -> services/replayer/src/adapters/b.ts',
    ],
  },
];

describe('the rules see', () => {
  for (const { breaks, files, expected } of SEEDED) {
    test(breaks, async (t) => {
      const root = await tempDir(t);
      writeTree(root, { ...SHARED, ...files });
      assert.deepEqual(describeViolations(await cruiseTree(root)).sort(), expected);
    });
  }

  test('a module that reads the environment', async (t) => {
    const root = await tempDir(t);
    writeTree(root, {
      'shared/src/log/a.ts': `export const a = process.env['A'];\n`,
      'services/mapper/src/b.ts': `export const b = process['env'];\n`,
      'services/mapper/src/main.ts': `export const c = process.env['A'];\n`,
      'services/mapper/src/config/d.ts': `export const d = process.env;\n`,
    });
    assert.deepEqual(environmentReaders(root), ['services/mapper/src/b.ts', 'shared/src/log/a.ts']);
  });
});
