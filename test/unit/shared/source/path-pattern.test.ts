import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathPattern } from '@capfleet/shared/source/path-pattern';

test('a pattern matches anywhere in a path, in the syntax of RE2', () => {
  const thread = pathPattern('thread-[0-9]+/.*\\.pcap$');
  assert.equal(thread.source, 'thread-[0-9]+/.*\\.pcap$');
  assert.deepEqual(
    ['/mnt/thread-3/a.pcap', '/mnt/thread-x/a.pcap', '/mnt/thread-3/a.pcap.gz'].map((path) =>
      thread.test(path),
    ),
    [true, false, false],
  );
  assert.ok(pathPattern('(?i)\\.PCAP').test('a.pcap'));
});

test('no pattern takes longer than the path is long', () => {
  const path = `/pcap/${'a'.repeat(200)}.pcap`;
  const begun = performance.now();
  assert.ok(!pathPattern('(a+)+$').test(path));
  assert.ok(!pathPattern('(a|aa|a?)*$(a*)*b').test(path));
  assert.ok(performance.now() - begun < 1000);
});

for (const [text, reason] of [
  ['(', /missing closing \)/],
  ['(?=a)', /invalid or unsupported Perl syntax/],
  ['(a)\\1', /invalid escape sequence/],
  ['((a{1000}){1000}){1000}', /./],
] as const) {
  test(`${text} is refused with the reason`, () => {
    assert.throws(() => pathPattern(text), { message: reason });
  });
}
