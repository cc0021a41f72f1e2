import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import Fastify from 'fastify';
import { tokenCheck } from '@capfleet/coordinator/http/token';

const TOKEN = 'a-token-of-the-tests';

describe('the token of the API', () => {
  const app = Fastify();
  before(async () => {
    const check = await tokenCheck(app, TOKEN);
    app.get('/', async (request) => {
      await check(request);
      return {};
    });
  });
  const ask = async (authorization: string | undefined): Promise<string | null> => {
    const headers = authorization === undefined ? {} : { authorization };
    const { body } = await app.inject({ url: '/', headers });
    return (JSON.parse(body) as { code?: string }).code ?? null;
  };

  test('is taken, whatever the case of the scheme', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER ']) assert.equal(await ask(`${scheme} ${TOKEN}`), null);
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
    test(`is not ${JSON.stringify(given ?? null).slice(0, 60)}`, async () => {
      assert.equal(await ask(given), 'token-refused');
    });
});
