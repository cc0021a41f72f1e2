import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRedisUrl, redactUrl, secretsOfUrl } from '@capfleet/shared/redis/connect';
import { optionsOf } from '@capfleet/shared/redis/connection-options';

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
    sentinelTLS: {},
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

test('the servers of a cluster, a user, a password and TLS are in the URL', () => {
  const url = 'rediss+cluster://me:p%40ss@one:7001,two,[::1]:1';
  assert.deepEqual(optionsFor(url), {
    servers: [
      { host: 'one', port: 7001 },
      { host: 'two', port: 6379 },
      { host: '::1', port: 1 },
    ],
    username: 'me',
    password: 'p@ss',
    tls: {},
  });
  assert.deepEqual(optionsFor('redis+cluster://:secret@one/'), {
    servers: [{ host: 'one', port: 6379 }],
    password: 'secret',
  });
  assert.equal(redactUrl(url), 'rediss+cluster://me:***@one:7001,two,[::1]:1');
  assert.deepEqual(secretsOfUrl(url), ['p%40ss', 'p@ss']);
});

test('one server, its user, password, database and TLS are in the URL', () => {
  assert.deepEqual(optionsFor('redis://one'), { host: 'one', port: 6379 });
  assert.deepEqual(optionsFor('rediss://me:p%40s+s@[::1]:1/7'), {
    host: '::1',
    port: 1,
    username: 'me',
    password: 'p@s+s',
    db: 7,
    tls: {},
  });
  assert.deepEqual(optionsFor('unix:/a/b?c'), { path: '/a/b?c' });
});

test('no secret of a URL is told, wherever it stands and however it is spelt', () => {
  for (const [url, told] of [
    ['redis+sentinel://one/m?sentinel-password=se@cret', 'redis+sentinel://one/m?sentinel-password=***'],
    [
      'redis+sentinel://:se@one/m?sentinel-password=cr@et',
      'redis+sentinel://:***@one/m?sentinel-password=***',
    ],
    ['rediss://:secret@one?cert=/a@b&key=/c', 'rediss://:***@one?cert=/a@b&key=/c'],
    ['rediss://one?cert=/a@b:c&key=/d', 'rediss://one?cert=/a@b:c&key=/d'],
    // None of these is one.
    ['redis://:se?x=cret@one', 'redis://:***@one'],
    ['redis://one?password=secret', 'redis://one?password=***'],
    ['redis+sentinel://one/m?sentinel%2Dpassword=secret', 'redis+sentinel://one/m?sentinel%2Dpassword=***'],
    ['redis://:secret', 'redis://:***'],
  ] as const)
    assert.equal(redactUrl(url), told);
  // What is blanked in the log is the password, and not its letters everywhere.
  assert.deepEqual(secretsOfUrl('redis://:p@ss@one'), ['p@ss', 'p@ss']);
  const begun = performance.now();
  redactUrl(`redis:${'/'.repeat(100_000)}`);
  assert.ok(performance.now() - begun < 1000);
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
    'redis+cluster://',
    'redis+cluster://one,,two',
    'redis+cluster://one:99999',
    // Databases have no numbers there.
    'redis+cluster://one/0',
    'redis+cluster://one/name',
    'redis+cluster://one?sentinel-password=x',
    'redis+cluster://:%E0@one',
    'redis+clusters://one',
    'redis://',
    'redis://one/name',
    'redis://one/1/2',
    'redis://:%E0@one',
    'redis://one?sentinel-password=x',
    'rediss://one?cert=a',
    'rediss://one?key=a',
    'rediss://one?cert=&key=b',
    'rediss://one?cert=a&key=b&more=c',
    // Without TLS nobody asks for it.
    'redis://one?cert=a&key=b',
    'unix:',
    'http://one',
    '',
  ])
    assert.equal(isRedisUrl(url), false, url);
  for (const url of ['rediss://one?cert=a&key=b', 'rediss+sentinel://one/m?key=a&cert=b&sentinel-password=c'])
    assert.equal(isRedisUrl(url), true, url);
  for (const url of ['redis+sentinel://one/m', 'redis+cluster://one,two', 'rediss+cluster://one:1'])
    assert.equal(isRedisUrl(url), true, url);
});
