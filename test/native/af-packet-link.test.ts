/** The raw socket, against a veth pair in a network namespace of its own: one child process per case. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { runCase } from './support/child.ts';
import { createPacer } from './support/native.ts';

const NAMESPACE = ['unshare', '--net', '--mount', '--'];

function whyNot(): string | false {
  for (const command of [
    [...NAMESPACE, 'true'],
    ['ip', '-V'],
  ]) {
    const { status, error, stderr } = spawnSync(command[0]!, command.slice(1), { encoding: 'utf8' });
    if (status !== 0)
      return `needs root, unshare and iproute2: ${command.join(' ')}: ${error?.message ?? stderr.trim()}`;
  }
  return false;
}

const skip = whyNot();
if (skip !== false) process.stderr.write(`af-packet-link: SKIPPED, ${skip}\n`);

const CASES = {
  'what leaves is what arrives on the other end, byte by byte': 'arrives',
  'without the bypass of the queueing discipline too': 'arrives-with-qdisc',
  'a frame over the MTU is refused as oversize and the rest is sent': 'oversize',
  'a frame too short for a header is refused and the rest is sent': 'too-short',
  'the socket receives nothing': 'receives-nothing',
  'an interface down for a while costs the frames of that time only': 'down-and-up',
  'an interface without carrier is down, not full': 'no-carrier',
  'an interface removed for good: the rest is refused, the end is reached': 'removed',
  'an interface that is made again under its name is taken up again': 'made-again',
  'an interface that is down can not be opened': 'opened-down',
  'interfaceFacts are those of this namespace': 'facts',
};

for (const [name, key] of Object.entries(CASES)) {
  test(name, { skip }, async (t) => {
    const ended = await runCase(new URL('support/af-packet-cases.ts', import.meta.url), key, {
      wrapper: NAMESPACE,
    });
    if (ended.output !== '') t.diagnostic(ended.output);
    assert.deepEqual({ code: ended.code, signal: ended.signal }, { code: 0, signal: null }, ended.output);
  });
}

test('an interface that is not there is ENODEV', { skip }, () => {
  assert.throws(() => createPacer({ link: 'af_packet', interface: 'no-such-if' }), {
    code: 'ENODEV',
    syscall: 'ioctl',
    link: 'af_packet',
  });
});

test('without the capability it is EPERM', { skip }, async () => {
  const wrapper = ['setpriv', '--bounding-set=-net_raw', '--inh-caps=-net_raw', '--'];
  const ended = await runCase(new URL('support/af-packet-cases.ts', import.meta.url), 'no-capability', {
    wrapper,
  });
  assert.equal(ended.code, 0, ended.output);
});
