// Typed lint for the sources, the tests and the scripts. Layout belongs to prettier, import directions to
// test/unit/structure.test.ts; neither is repeated here.

import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** node:test returns a promise that the runner itself waits for. */
const testRegistration = {
  allowForKnownSafeCalls: [
    { from: 'package', package: 'node:test', name: ['test', 'describe', 'it', 'suite', 'before', 'after'] },
  ],
};

const namedExportsOnly = [
  { selector: 'ExportAllDeclaration', message: 'No barrel files: import the file that owns the name.' },
  { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
];

export default defineConfig(
  globalIgnores(['**/dist/', '**/build/', '**/node_modules/', '.node/', '.demo/', 'bench/runs/']),
  js.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      // One program for everything but the page, which has a browser's types: that of each package by itself would read the
      // libraries' types again.
      parserOptions: {
        project: ['./tsconfig.test.json', './services/web/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/naming-convention': [
        'error',
        { selector: 'typeLike', format: ['PascalCase'] },
        { selector: 'import', format: null },
        { selector: 'variable', modifiers: ['const'], format: ['camelCase', 'PascalCase', 'UPPER_CASE'] },
        { selector: 'variable', format: ['camelCase'] },
        { selector: 'function', format: ['camelCase', 'PascalCase'] },
        { selector: 'parameter', format: ['camelCase', 'PascalCase'], leadingUnderscore: 'allow' },
      ],
      // Messages with counts are plain.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // noUncheckedIndexedAccess makes these necessary where a bound was just checked.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      // Parameters of a port that an adapter does not need keep their names.
      '@typescript-eslint/no-unused-vars': [
        'error',
        { args: 'none', caughtErrors: 'none', ignoreRestSiblings: true },
      ],
      // Contradicts noPropertyAccessFromIndexSignature.
      '@typescript-eslint/dot-notation': 'off',
      // A port's promise-returning method may be implemented without waiting for anything.
      '@typescript-eslint/require-await': 'off',
      'no-restricted-syntax': ['error', ...namedExportsOnly],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  {
    // What comes from outside must never be read as a program, by a shell or by Node.
    files: ['services/**/*.ts', 'shared/**/*.ts', 'deploy/**/*.{ts,mjs}', 'services/**/*.mjs'],
    rules: {
      'no-eval': 'error',
      'no-implied-eval': 'error',
      'no-new-func': 'error',
      'no-restricted-imports': [
        'error',
        ...['node:child_process', 'child_process'].map((name) => ({
          name,
          importNames: ['exec', 'execSync', 'default'],
          message: 'A shell reads its argument: spawn a program with a list of arguments.',
        })),
        ...['node:vm', 'vm', 'node:repl'].map((name) => ({ name, message: 'No code out of data.' })),
      ],
      'no-restricted-properties': [
        'error',
        ...['exec', 'execSync'].map((property) => ({
          object: 'child_process',
          property,
          message: 'A shell reads its argument.',
        })),
      ],
    },
  },
  {
    // Beside no-restricted-syntax above, which this repeats: a later list replaces an earlier one.
    files: ['services/**/*.ts', 'shared/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        ...namedExportsOnly,
        {
          selector: "Property[key.name='shell'][value.value!=false]",
          message: 'No shell: spawn a program with a list of arguments.',
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': ['error', testRegistration],
      // Fakes answer with empty functions, and reach for what a type hides to prove it is refused.
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/unbound-method': 'off',
      // Parsed JSON is compared as it is; the comparison is the check.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  {
    // Rendered manifests are untyped by nature; their own test gives them types.
    files: ['test/deploy/**/*.ts', 'test/support/deploy/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
    },
  },
  {
    files: ['**/*.js', '**/*.mjs', '**/*.cjs'],
    languageOptions: {
      globals: {
        AbortSignal: 'readonly',
        URL: 'readonly',
        console: 'readonly',
        fetch: 'readonly',
        process: 'readonly',
      },
    },
  },
);
