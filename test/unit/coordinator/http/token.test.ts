import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tokenCheck } from '@capfleet/coordinator/http/token';

const TOKEN = 'a-token-of-the-tests';

describe('the token of the API', () => {
  const check = tokenCheck(TOKEN);

  test('is taken, whatever the case of the scheme', () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER ']) check(`${scheme} ${TOKEN}`);
  });

  // Texts of any length are compared as digests of one length, so that nothing about the right one can be measured.
  for (const given of [
    undefined,
    '',
    TOKEN,
    'Bearer',
    'Bearer ',
    `Basic ${TOKEN}`,
    `Bearer ${TOKEN}x`,
    `Bearer ${TOKEN.slice(0, -1)}`,
    `Bearer ${TOKEN.toUpperCase()}`,
    `Bearer ${TOKEN} ${TOKEN}`,
    `Bearer ${TOKEN}, Bearer x`,
    `Bearer ${TOKEN}\n`,
    `Bearer ü${TOKEN}`,
    `Bearer ${'x'.repeat(1_000_000)}`,
    'Bearer __proto__',
  ])
    test(`is not ${JSON.stringify(given ?? null).slice(0, 60)}`, () => {
      assert.throws(
        () => {
          check(given);
        },
        { code: 'token-refused' },
      );
    });
});
