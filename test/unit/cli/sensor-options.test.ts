import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replayCommand } from '@capfleet/cli/commands/replay';
import { requestOf, type ReplayOptions } from '@capfleet/cli/replay-options';
import { ruleOf, type SensorOptions } from '@capfleet/cli/sensor-options';
import type { AssignmentRule } from '@capfleet/shared/dataset/assignment';
import type { ReplayRequest } from '@capfleet/shared/dataset/replay-plan';

function optionsOf(...args: string[]): SensorOptions & ReplayOptions {
  const command = replayCommand(() => Promise.resolve()).exitOverride();
  command.configureOutput({ writeErr: () => undefined });
  return command.parse(args, { from: 'user' }).opts();
}

const rule = (...args: string[]): AssignmentRule => ruleOf(optionsOf(...args));
const request = (...args: string[]): ReplayRequest => {
  const options = optionsOf(...args);
  return requestOf(options, options.sensors ?? [], ruleOf(options), false);
};

test('a set is shared by lane, or as is asked for; tunnels by what is in them', () => {
  assert.deepEqual(rule(), { by: 'lane' });
  assert.deepEqual(rule('--assign-by', 'size'), { by: 'size' });
  assert.deepEqual(rule('--assign-by', 'flow'), { by: 'flow', tunnels: 'inner' });
  assert.deepEqual(rule('--assign-by', 'flow', '--flow-tunnels', 'outer'), { by: 'flow', tunnels: 'outer' });
  const named = rule('--assign', 'a=x');
  assert.ok(named.by === 'pattern');
  assert.deepEqual(
    named.patterns.map(({ sensor, pattern }) => [sensor, pattern.source]),
    [['a', 'x']],
  );
});

test('what says how to share by flow is refused where nothing is', () => {
  const reason = { code: 'setting-invalid', message: /--flow-tunnels: only with --assign-by flow/ };
  assert.throws(() => rule('--flow-tunnels', 'inner'), reason);
  assert.throws(() => rule('--assign', 'a=x', '--flow-tunnels', 'inner'), /cannot be used with/);
  assert.throws(() => rule('--assign', 'a=x', '--assign-by', 'flow'), /cannot be used with/);
});

test('gaps are cut for several sensors only where each of them sees all', () => {
  const args = ['--sensors', 'a,b', '--max-gap', '1s'];
  assert.throws(() => request(...args), { code: 'setting-invalid', message: /--assign-by flow/ });
  assert.equal(request(...args, '--assign-by', 'flow').maxGap, 1_000_000_000n);
});
