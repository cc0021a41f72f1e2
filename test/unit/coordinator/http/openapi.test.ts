// docs/openapi.json is what the coordinator serves at /openapi.json. UPDATE_DOCS=1 writes it anew.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { format, resolveConfig } from 'prettier';
import type { ApiWorld } from '@capfleet/coordinator/http/api-world';
import { buildApi } from '@capfleet/coordinator/http/build-api';
import { coordinatorMetrics } from '@capfleet/coordinator/metrics';
import { silentLogger } from '@capfleet/shared/log/logger';

const DOCS = new URL('../../../../docs/openapi.json', import.meta.url);

test('docs/openapi.json says what is served', async (t) => {
  const board = { pages: () => (_app: unknown, _options: unknown, done: () => void) => done() };
  const known = {
    token: 't',
    page: null,
    version: '1',
    log: silentLogger(),
    board,
    metrics: coordinatorMetrics(),
  };
  const world = known as unknown as ApiWorld;
  const app = await buildApi(world);
  t.after(() => app.close());
  const { statusCode, body } = await app.inject('/openapi.json');
  assert.equal(statusCode, 200);
  const config = await resolveConfig(DOCS);
  const expected = await format(JSON.stringify(JSON.parse(body), null, 2), { ...config, parser: 'json' });
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(DOCS, expected);
  assert.equal(readFileSync(DOCS, 'utf8'), expected, 'run this test with UPDATE_DOCS=1');
});
