import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { scrubber } from '@capfleet/shared/log/scrub';
import { redactUrl, secretsOfUrl } from '@capfleet/shared/redis/connect';

describe('what is logged', () => {
  test('has no secret that the process knows, as it is, in JSON or in a URL', () => {
    const secret = 'p"a/ss\\wörd';
    const scrub = scrubber([secret, '', 'ass']);
    for (const text of [
      `before ${secret} after`,
      JSON.stringify({ a: secret }),
      encodeURIComponent(secret),
    ]) {
      const clean = scrub(text);
      assert.ok(clean.includes('***'), clean);
      assert.doesNotMatch(clean, /rd|ass|%2F/);
    }
    assert.equal(scrubber([])('as it is'), 'as it is');
  });

  const key = 'AKIDEXAMPLE/20261126/eu/s3/aws4_request';
  const known: Readonly<Record<string, string>> = {
    'redis://user:secret@host:6379/1': 'redis://user:***@host:6379/1',
    'at https://:secret@host/x and rediss://u:secret@b': 'at https://:***@host/x and rediss://u:***@b',
    [`https://b/k?X-Amz-Credential=${key}&X-Amz-Date=1&X-Amz-Signature=secret`]:
      'https://b/k?X-Amz-Credential=***&X-Amz-Date=1&X-Amz-Signature=***',
    'X-Amz-Security-Token=secret"': 'X-Amz-Security-Token=***"',
    '"authorization":"Bearer secret-0.1"': '"authorization":"Bearer ***"',
    [`AWS4-HMAC-SHA256 Credential=${key}, SignedHeaders=host, Signature=secret`]:
      'AWS4-HMAC-SHA256 Credential=***, SignedHeaders=host, Signature=***',
    'http://[::1]:9470 and user@host': 'http://[::1]:9470 and user@host',
  };
  for (const [text, expected] of Object.entries(known))
    test(`has nothing of the form of one: ${expected}`, () => {
      assert.equal(scrubber([])(text), expected);
    });
});

describe('a Redis URL', () => {
  const urls: Readonly<Record<string, string>> = {
    'redis://host:6379': 'redis://host:6379',
    'unix:/run/a@b:c@d.sock': 'unix:/run/a@b:c@d.sock',
    'redis://user:secret@host:6379/1': 'redis://user:***@host:6379/1',
    'redis://:sec/r@et@host': 'redis://:***@host',
    'redis//:secret@host': 'redis//:***@host',
    'user:secret@host': 'user:***@host',
  };
  for (const [url, expected] of Object.entries(urls))
    test(`is told without its password: ${expected}`, () => {
      assert.equal(redactUrl(url), expected);
    });

  test('has its password as a secret, as it is and as it is written', () => {
    assert.deepEqual(secretsOfUrl('redis://u:a%2Fb@host'), ['a%2Fb', 'a/b']);
    assert.deepEqual(secretsOfUrl('redis://host'), []);
    assert.deepEqual(secretsOfUrl('unix:/run/redis.sock'), []);
  });
});
