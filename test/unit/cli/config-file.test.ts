// Options from a file: what it may look like, what wins, and what is refused. Held on the real options of `replay`.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { mapCommand } from '@capfleet/cli/commands/map';
import { replayCommand } from '@capfleet/cli/commands/replay';
import { tarExtractCommand } from '@capfleet/cli/commands/tar-extract';
import { requestOf, type ReplayOptions } from '@capfleet/cli/replay-options';
import { addSources, type Environment } from '@capfleet/cli/option-sources';
import type { SensorPattern } from '@capfleet/shared/dataset/assignment';
import { tempDir } from '../../support/temp-dir.ts';

async function optionsOf(
  t: TestContext,
  text: string,
  args: readonly string[] = [],
  name = 'options.yaml',
  environment: Environment = {},
): Promise<Record<string, unknown>> {
  const path = join(await tempDir(t), name);
  await writeFile(path, text);
  const replay = addSources(
    replayCommand(() => Promise.resolve()),
    environment,
  );
  const program = replay.createCommand('capfleet').exitOverride().addCommand(replay);
  program.addCommand(mapCommand(() => Promise.resolve()));
  program.addCommand(tarExtractCommand(() => Promise.resolve()));
  replay.exitOverride().configureOutput({ writeErr: () => undefined });
  await program.parseAsync(['replay', '--config', path, ...args], { from: 'user' });
  return replay.opts();
}

const invalid = (reason: RegExp) => ({ code: 'config-invalid', message: reason });
const HALF = { numerator: 1, denominator: 2 };

describe('options from a file', () => {
  test('say no to what is taken else, by either name', async (t) => {
    for (const text of ['realtime: false', 'no-realtime: true']) {
      assert.equal((await optionsOf(t, text))['realtime'], false, text);
    }
    assert.notEqual((await optionsOf(t, 'no-realtime: false'))['realtime'], false);
    await assert.rejects(optionsOf(t, 'no-realtime: 1'), invalid(/true or false/));
  });

  test('give way to what is typed, also to what means the opposite', async (t) => {
    const { loopInfinite, loopCount } = await optionsOf(t, 'loop: {infinite: true}', ['--loop-count', '2']);
    assert.deepEqual([loopInfinite, loopCount], [false, 2]);
  });

  for (const [form, name, text] of [
    ['YAML', 'a.yaml', 'time-modifier: 0.5\nloop-count: 3\nskip-ooo: true\nout-interface: eth1\n'],
    [
      'YAML in groups',
      'a.yml',
      'time: {modifier: "1/2"}\nloop:\n  count: 3\nskip_ooo: yes\nout:\n  interface: eth1\n'.replace(
        'yes',
        'true',
      ),
    ],
    [
      'JSON',
      'a.json',
      '{"time-modifier": 0.5, "loop": {"count": 3}, "skip-ooo": true, "out-interface": "eth1"}',
    ],
    [
      'TOML',
      'a.toml',
      'time-modifier = 0.5\nskip-ooo = true\n[loop]\ncount = 3\n[out]\ninterface = "eth1"\n',
    ],
    [
      'the sections of commands',
      'a.yaml',
      'map: {dir: {src: x}}\nglobal: {loop-count: 2, file-suffix: x}\nreplay: {time: {modifier: 0.5}, loop: {count: 3}, skip-ooo: true, out: {interface: eth1}}\n',
    ],
  ] as const) {
    test(`are taken as they would be typed, from ${form}`, async (t) => {
      const { timeModifier, loopCount, skipOoo, outInterface } = await optionsOf(t, text, [], name);
      assert.deepEqual(
        { timeModifier, loopCount, skipOoo, outInterface },
        { timeModifier: HALF, loopCount: 3, skipOoo: true, outInterface: 'eth1' },
      );
    });
  }

  describe('that GopherCap wrote', () => {
    const written = (replay: string): string => `
filter: {yaml: ''}
global: {dump: {json: /tmp/meta.json}, file: {regexp: ''}}
map: {dir: {src: ''}, file: {suffix: pcap, workers: 4}}
replay: {${replay}}
tarball: {dryrun: false, in: {file: big.tar}, out: {dir: '', gzip: false}}
`;
    const loop = 'loop: {count: 1, infinite: false}, out: {bpf: "", interface: eth0}';

    test('are taken as they are: what was not given is off', async (t) => {
      const options = await optionsOf(
        t,
        written(
          `disable_wait: false, ${loop}, reorder: {enabled: false}, skip: {mtu: 1514, out_of_order: false},
          time: {from: '', scale: {duration: 1h0m0s, enabled: false}, to: ''}`,
        ),
      );
      const { dumpJson, outInterface, skipMtu, skipOoo, waitDisable, loopCount } = options;
      assert.deepEqual(
        { dumpJson, outInterface, skipMtu, skipOoo, waitDisable, loopCount },
        {
          dumpJson: '/tmp/meta.json',
          outInterface: 'eth0',
          skipMtu: 1514,
          skipOoo: false,
          waitDisable: false,
          loopCount: 1,
        },
      );
      for (const off of ['reorder', 'timeScaleDuration', 'timeFrom', 'timeTo', 'outBpf', 'fileRegexp'])
        assert.equal(options[off], undefined, off);
      const { policies } = requestOf(options as unknown as ReplayOptions, ['a'], { by: 'lane' }, false);
      assert.deepEqual([policies.oversize, policies.mtu], ['skip', 1500]);
    });

    test('are taken as they are: what was given is on', async (t) => {
      const options = await optionsOf(
        t,
        written(
          `disable_wait: false, ${loop}, reorder: {enabled: true}, skip: {out_of_order: true},
          time: {from: '2020-09-28 06:00:00', scale: {duration: 4h0m0s, enabled: true}, to: ''}`,
        ),
      );
      const { reorder, skipOoo, timeScaleDuration, timeFrom } = options;
      assert.deepEqual(
        { reorder, skipOoo, timeScaleDuration, timeFrom },
        {
          reorder: 1_000_000_000n,
          skipOoo: true,
          timeScaleDuration: 4n * 3600n * 1_000_000_000n,
          timeFrom: BigInt(Date.parse('2020-09-28T06:00:00Z')) * 1_000_000n,
        },
      );
      const { waitDisable } = await optionsOf(t, written(`disable_wait: true, ${loop}`));
      assert.equal(waitDisable, true);
    });

    test('have a section for tarballs', async (t) => {
      const path = join(await tempDir(t), 'gophercap.yaml');
      await writeFile(path, written(loop));
      const extract = addSources(
        tarExtractCommand(() => Promise.resolve()),
        {},
      ).exitOverride();
      const program = extract.createCommand('capfleet').addCommand(extract);
      for (const command of [mapCommand, replayCommand]) program.addCommand(command(() => Promise.resolve()));
      const args = ['tarExtract', '--config', path, '--out-dir', '/tmp/out'];
      await program.parseAsync(args, { from: 'user' });
      const { inTarball, outGzip } = extract.opts<Record<string, unknown>>();
      assert.deepEqual([inTarball, outGzip], ['big.tar', false]);
    });
  });

  test('give way to the command line, also where the two cannot go together', async (t) => {
    const text = 'loop-count: 3\npps: 100\nmtu-policy: skip\n';
    const options = await optionsOf(t, text, ['--loop-count', '5', '--topspeed']);
    assert.deepEqual([options['loopCount'], options['topspeed'], options['pps']], [5, true, undefined]);
    assert.equal(options['mtuPolicy'], 'skip');
  });

  test('may be off, empty, repeated, or without the value that is not needed', async (t) => {
    const options = await optionsOf(
      t,
      'topspeed: false\nlimit:\nassign: [a=x, b=y]\nreorder: true\nmax-gap: 1s\n',
    );
    assert.deepEqual(
      [options['topspeed'], options['limit'], options['reorder'], options['maxGap']],
      [false, undefined, 1_000_000_000n, 1_000_000_000n],
    );
    assert.deepEqual(
      (options['assign'] as SensorPattern[]).map(({ sensor, pattern }) => [sensor, pattern.source]),
      [
        ['a', 'x'],
        ['b', 'y'],
      ],
    );
    assert.equal((await optionsOf(t, ''))['loopCount'], 1);
  });

  test('are refused in the name of the file and the key', async (t) => {
    for (const [text, reason] of [
      [
        'time-modifer: 2',
        /a\.yaml are not used: time-modifer is no option of replay; near it: time-modifier/,
      ],
      ['modifier-time: 2', /near it: time-modifier/],
      ['duration-scale-time: 1h', /duration-scale-time is no option of replay; near it: time-scale-duration/],
      ['skip: {mtu: 12}', /skip-mtu: .*at least 82/],
      ['zzzzzz: 1', /zzzzzz is no option of replay$/],
      ['config: x', /config is no option/],
      ['time-modifier: fast', /time-modifier: "fast" is no positive ratio/],
      ['mtu-policy: ignore', /mtu-policy: .*Allowed choices are fail/],
      ['topspeed: 5', /topspeed is true or false, not 5/],
      ['limit: true', /limit needs a value/],
      ['pps: 1\nmbps: 1', /mbps cannot be used with pps/],
      ['a: [', /are not used/],
      ['- a\n- b', /is no option/],
      ['time: &a {x: *a}', /too deep/],
      ['replay: 3', /replay is no table of options/],
      ['global: [1]', /global is no table of options/],
    ] as const) {
      await assert.rejects(optionsOf(t, text, [], 'a.yaml'), invalid(reason), text);
    }
    await assert.rejects(optionsOf(t, 'x = ', [], 'a.toml'), invalid(/a\.toml are not used/));
    await assert.rejects(optionsOf(t, `a${'.a'.repeat(20_000)} = 1`, [], 'a.toml'), invalid(/too deep/));
  });

  test('that cannot be read are refused', async (t) => {
    const gone = join(await tempDir(t), 'gone.yaml');
    await assert.rejects(optionsOf(t, '', ['--config', gone]), {
      code: 'config-unreadable',
      message: /no such file/,
    });
    // Not a minute later, either.
    await assert.rejects(
      optionsOf(t, 'a: &a 1\n' + Array.from({ length: 90_000 }, (_, n) => `k${n}: *a`).join('\n')),
      {
        code: 'config-unreadable',
        message: /too long/,
      },
    );
    await assert.rejects(optionsOf(t, '', ['--config', '/dev/zero']), {
      code: 'config-unreadable',
      message: /no regular file/,
    });
  });
});

describe('options from the environment', () => {
  const from = (t: TestContext, environment: Environment, text = '', args: readonly string[] = []) =>
    optionsOf(t, text, args, 'options.yaml', environment);

  test('are read as they are typed, and others are left alone', async (t) => {
    const options = await from(t, {
      CAPFLEET_TIME_MODIFIER: '0.5',
      CAPFLEET_SKIP_OOO: 'true',
      CAPFLEET_TOPSPEED: 'no',
      CAPFLEET_REALTIME: 'off',
      CAPFLEET_LIMIT: '',
      CAPFLEET_TOKEN: 'x',
      CAPFLEET_FROBNICATE: '1',
    });
    const { timeModifier, skipOoo, topspeed, realtime, limit } = options;
    assert.deepEqual([timeModifier, skipOoo, realtime, limit], [HALF, true, false, undefined]);
    assert.ok(topspeed !== true);
  });

  test('give way to what is typed, and win over a file', async (t) => {
    const environment = { CAPFLEET_LOOP_COUNT: '2' };
    assert.equal((await from(t, environment, 'loop-count: 3'))['loopCount'], 2);
    assert.equal((await from(t, environment, 'loop-count: 3', ['--loop-count', '4']))['loopCount'], 4);
    const { loopInfinite, loopCount } = await from(t, environment, 'loop-infinite: true');
    assert.deepEqual([loopInfinite, loopCount], [false, 2]);
  });

  test('are refused in the name of the variable', async (t) => {
    for (const [environment, message] of [
      [{ CAPFLEET_TIME_MODIFIER: 'fast' }, /CAPFLEET_TIME_MODIFIER: "fast" is no positive ratio/],
      [{ CAPFLEET_TOPSPEED: 'much' }, /CAPFLEET_TOPSPEED is true or false, not much/],
      [{ CAPFLEET_PPS: '1', CAPFLEET_MBPS: '1' }, /CAPFLEET_MBPS cannot be used with CAPFLEET_PPS/],
    ] as const)
      await assert.rejects(from(t, environment), { code: 'environment-invalid', message });
  });
});
