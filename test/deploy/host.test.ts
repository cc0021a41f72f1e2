// The units of deploy/host: systemd takes them, and what they ask of the program it has.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { optionTable } from '@capfleet/cli/option-table';
import { everyCommand } from '@capfleet/cli/program';
import { ROOT } from '../support/deploy/helm.ts';
import { constantMs, fileCapabilities, serviceFacts } from '../support/deploy/program-facts.ts';
import { tempDir } from '../support/temp-dir.ts';

const units = { replayer: 'capfleet-replayer@.service', coordinator: 'capfleet-coordinator.service' };
/** Of Node's convention. */
const FOREIGN = new Set(['NODE_ENV']);
const withoutSystemd =
  spawnSync('systemd-analyze', ['--version']).status === 0
    ? false
    : 'there is no systemd-analyze on this machine';

const read = (name: string): string => readFileSync(join(ROOT, 'deploy/host', name), 'utf8');

function valuesOf(unit: string, key: string): string[] {
  return [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value = '']) => value);
}

describe('the units', () => {
  for (const [service, name] of Object.entries(units)) {
    const unit = read(name);

    test(`${name} starts the ${service} with options and variables that it has`, async () => {
      const [command = ''] = valuesOf(unit, 'ExecStart');
      const [, verb, ...words] = command.split(' ');
      assert.equal(verb, service);
      const row = optionTable(await everyCommand()).find((one) => one.name === service);
      const flags = new Set(row?.options.map(({ key }) => `--${key}`));
      assert.deepEqual(
        words.filter((word) => word.startsWith('--') && !flags.has(word)),
        [],
      );
      const examples = service === 'replayer' ? read('replayer.env.example') : '';
      const texts = [
        ...valuesOf(unit, 'Environment'),
        ...examples.split('\n'),
        ...unit.matchAll(/CAPFLEET_\w+=/g),
      ];
      const names = texts.flatMap((text) => /^#?([A-Z_0-9]+)=/.exec(String(text))?.[1] ?? []);
      assert.ok(names.length > 1);
      const known = (await serviceFacts()).get(service)?.variables;
      assert.deepEqual(
        names.filter((one) => !FOREIGN.has(one) && !known?.has(one)),
        [],
      );
    });

    test(`${name} waits for it to end`, () => {
      const [timeout] = valuesOf(unit, 'TimeoutStopSec');
      const ms = constantMs('END_DEADLINE_MS', 'shared/src/process/lifetime.ts');
      assert.ok(Number(timeout?.replace('s', '')) * 1000 > ms);
    });

    test(`systemd takes ${name}`, { skip: withoutSystemd }, async (t) => {
      // As an instance, and with a program that is there.
      const file = join(await tempDir(t), name.replace('@', '@a'));
      writeFileSync(
        file,
        unit.replace('/usr/local/bin/capfleet', '/bin/true').replace(/^Documentation=.*$/m, ''),
      );
      const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], {
        encoding: 'utf8',
      });
      assert.deepEqual([status, stderr], [0, '']);
    });
  }

  test('a replayer has the capabilities that it can use, the coordinator has none', () => {
    const replayer = read(units.replayer);
    const wanted = [...fileCapabilities()].map((name) => `CAP_${name}`).sort();
    for (const key of ['AmbientCapabilities', 'CapabilityBoundingSet'])
      assert.deepEqual(valuesOf(replayer, key)[0]?.split(' ').sort(), wanted);
    assert.deepEqual(valuesOf(read(units.coordinator), 'CapabilityBoundingSet'), ['']);
  });
});
