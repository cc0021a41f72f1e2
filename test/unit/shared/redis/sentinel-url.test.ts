import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRedisUrl, optionsOf, redactUrl } from '@capfleet/shared/redis/connect';

/** Without what every connection has. */
function optionsFor(url: string): object {
  const { maxRetriesPerRequest, retryStrategy, ...own } = optionsOf(url);
  assert.deepEqual([maxRetriesPerRequest, typeof retryStrategy], [null, 'function']);
  return own;
}

test('sentinels, the name of the master, passwords and TLS are in the URL', () => {
  const url = 'rediss+sentinel://me:p%40ss@one:26380,two,[::1]:1/my-master/3?sentinel-password=s%20p';
  assert.deepEqual(optionsFor(url), {
    sentinels: [
      { host: 'one', port: 26_380 },
      { host: 'two', port: 26_379 },
      { host: '::1', port: 1 },
    ],
    name: 'my-master',
    username: 'me',
    password: 'p@ss',
    db: 3,
    sentinelPassword: 's p',
    tls: {},
    enableTLSForSentinelMode: true,
  });
  assert.deepEqual(optionsFor('redis+sentinel://one/m'), {
    sentinels: [{ host: 'one', port: 26_379 }],
    name: 'm',
  });
  assert.equal(
    redactUrl(url),
    'rediss+sentinel://me:***@one:26380,two,[::1]:1/my-master/3?sentinel-password=***',
  );
  assert.equal(redactUrl('redis+sentinel://one:1,two:2/m'), 'redis+sentinel://one:1,two:2/m');
});

test('what is no such URL is refused', () => {
  for (const url of [
    'redis+sentinel://one',
    'redis+sentinel://one/',
    'redis+sentinel:///m',
    'redis+sentinel://one,,two/m',
    'redis+sentinel://one:99999/m',
    'redis+sentinel://one/m/x',
    'redis+sentinel://one/%E0',
    'redis+sentinel://one/m?password=x',
  ])
    assert.equal(isRedisUrl(url), false, url);
  assert.equal(isRedisUrl('redis+sentinel://one/m'), true);
});
