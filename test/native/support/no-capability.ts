/** Run without CAP_NET_RAW: a raw socket is refused, and what needs none is not. */
import assert from 'node:assert/strict';
import { createPacer, native } from './native.ts';

assert.throws(() => createPacer({ link: 'af_packet', interface: 'lo' }), {
  code: 'EPERM',
  syscall: 'socket',
  link: 'af_packet',
});
assert.equal(native.interfaceFacts('lo').loopback, true);
