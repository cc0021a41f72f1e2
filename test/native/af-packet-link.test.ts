/** The raw socket, against a veth pair in a network namespace of its own: one child process per case. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandInNamespaces, findNamespaceMode } from '../support/enter-namespaces.ts';
import { runCase } from './support/child.ts';
import { createPacer } from './support/native.ts';

const found = findNamespaceMode();
const skip = 'reason' in found && found.reason;
if (skip !== false) process.stderr.write(`af-packet-link: SKIPPED, ${skip}\n`);

/** What stands before a command that is run in fresh namespaces. */
function namespaceWrapper(): string[] {
  if ('reason' in found) return [];
  const { command, args } = commandInNamespaces(found.mode, process.execPath, []);
  return [command, ...args.slice(0, -1)];
}

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
  'a full queue is waited for, and what it does not take is refused': 'queue-full',
  'an interface removed while sending, then paused and closed: no hang': 'removed-and-closed',
  'every frame that asks when it left is told, near the call that sent it': 'stamps-all',
  'so it is without the bypass of the queueing discipline': 'stamps-with-qdisc',
  'a sample asks once in a millisecond': 'stamps-sample',
  'at top speed no more ask than answers come in': 'stamps-at-top-speed',
  'a refused frame that asked brings no stamp to the wrong frame': 'stamps-and-refusals',
  'a pause moves the due times that departures are held against': 'stamps-across-a-pause',
};

for (const [name, key] of Object.entries(CASES)) {
  test(name, { skip }, async (t) => {
    const ended = await runCase(new URL('support/af-packet-cases.ts', import.meta.url), key, {
      wrapper: namespaceWrapper(),
    });
    if (ended.output !== '') t.diagnostic(ended.output);
    assert.deepEqual({ code: ended.code, signal: ended.signal }, { code: 0, signal: null }, ended.output);
  });
}

test('an interface that is not there is ENODEV', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  assert.throws(() => createPacer({ link: 'af_packet', interface: 'no-such-if' }), {
    code: 'ENODEV',
    syscall: 'ioctl',
    link: 'af_packet',
  });
});

test('without the capability it is EPERM', { skip }, async () => {
  const root = process.getuid?.() === 0;
  const wrapper = root ? ['setpriv', '--bounding-set=-net_raw', '--inh-caps=-net_raw', '--'] : [];
  const ended = await runCase(new URL('support/af-packet-cases.ts', import.meta.url), 'no-capability', {
    wrapper,
  });
  assert.equal(ended.code, 0, ended.output);
});
