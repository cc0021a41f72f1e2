import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { clientSecurity } from '@capfleet/shared/redis/client-certificate';
import { tempDir } from '../../../support/temp-dir.ts';
import { makeTlsFiles } from '../../../support/tls-files.ts';

test('a certificate that is renewed in its place is shown from the next connection on, and not while it is half there', async (t) => {
  const { ca, key, clientCert, clientKey } = makeTlsFiles(await tempDir(t));
  const security = clientSecurity({ cert: clientCert, key: clientKey });
  const first = security.secureContext;
  assert.ok(first);
  copyFileSync(ca, clientCert);
  assert.equal(security.secureContext, first);
  copyFileSync(key, clientKey);
  const second = security.secureContext;
  assert.notEqual(second, first);
  writeFileSync(clientKey, '');
  assert.equal(security.secureContext, second);
});
