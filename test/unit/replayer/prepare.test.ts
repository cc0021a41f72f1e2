import assert from 'node:assert/strict';
import { link, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { disk } from '@capfleet/shared/source/disk';
import { defaultS3Options } from '@capfleet/shared/source/s3/s3-options';
import { sources } from '@capfleet/shared/source/sources';
import { plainReplay, type PlanFile, type SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { checkOwnLink, checkPlan, type PrepareContext } from '@capfleet/replayer/prepare';
import type { Interfaces } from '@capfleet/replayer/ports/interfaces';
import { captureOf } from '../../support/read-capture.ts';
import { planFile, sensorPlan } from '../../support/play-results.ts';
import { tarFile } from '../../support/tar-writer.ts';
import { tempDir } from '../../support/temp-dir.ts';

type InterfaceState = NonNullable<Awaited<ReturnType<Interfaces['state']>>>;

const good: InterfaceState = { mtu: 1500, up: true, ethernet: true, defaultRoute: false };

function interfaces(state: Partial<InterfaceState> | null = {}): Interfaces {
  return {
    state: async (name) => (name === 'eth1' && state ? { ...good, ...state } : null),
    names: async () => ['lo', 'eth0'],
  };
}

interface Given {
  context: PrepareContext;
  /** The file on disk as a plan has it. */
  file: PlanFile;
  plan: (file?: Partial<PlanFile>, rest?: Partial<SensorPlan>) => SensorPlan;
  dir: string;
}

async function given(t: TestContext, context: Partial<PrepareContext> = {}, linkType = 1): Promise<Given> {
  const dir = await tempDir(t);
  const path = join(dir, 'a.pcap');
  await writeFile(path, captureOf([60, 1514], { linkType }));
  const { size, version } = await disk.stat(path);
  const file = planFile({ path, fileSize: size, version, linkTypes: [linkType], maxCaptured: 1514 });
  return {
    dir,
    file,
    plan: (change = {}, rest = {}) => sensorPlan('one', { files: [{ ...file, ...change }], ...rest }),
    context: {
      link: { kind: 'af_packet', interface: 'eth1' },
      interfaces: interfaces(),
      source: sources(defaultS3Options),
      openFileLimit: 1024,
      roots: [dir],
      mayUseDefaultRoute: true,
      ...context,
    },
  };
}

describe('preparing a plan', () => {
  test('lets a good one pass', async (t) => {
    const { context, plan } = await given(t);
    await checkPlan(plan(), context);
    await checkPlan(plan({ fileSize: null, version: null, maxCaptured: null, linkTypes: [] }), context);
    await checkPlan({ ...plan(), files: [] }, context);
  });

  test('refuses more files at one time than the process may have open', async (t) => {
    const { context, plan, file } = await given(t, { openFileLimit: 66 });
    const large = { fileSize: null, version: null };
    const overlapping = (count: number, change: Partial<PlanFile> = large): SensorPlan =>
      plan({}, { files: Array.from({ length: count }, () => ({ ...file, ...change })) });
    const spread = Array.from({ length: 9 }, (_, n) => ({
      ...file,
      earliest: String(2 * n),
      latest: String(2 * n + 1),
    }));
    await checkPlan({ ...plan(), files: spread }, context);
    await checkPlan(overlapping(2), context);
    await assert.rejects(checkPlan(overlapping(3), context), { code: 'too-many-open-files' });
    // A small one is read at once.
    await checkPlan(overlapping(100, {}), context);
  });

  for (const [what, state, code] of [
    ['is not there', null, 'interface-missing'],
    ['is down', { up: false }, 'interface-down'],
    ['carries the default route', { defaultRoute: true }, 'interface-default-route'],
    ['sends no Ethernet frames', { ethernet: false }, 'interface-link-type'],
    ['takes only smaller frames', { mtu: 1400 }, 'frame-too-large'],
  ] as const) {
    test(`refuses an interface that ${what}`, async (t) => {
      const { context, plan } = await given(t, { interfaces: interfaces(state) });
      await assert.rejects(checkPlan(plan(), context), { code });
    });
  }

  test('refuses to write frames into a file that it plays, by whatever name', async (t) => {
    const { context, plan, dir, file } = await given(t);
    const into = (path: string): PrepareContext => ({ ...context, link: { kind: 'file', path } });
    const other = join(dir, 'link.pcap');
    await link(file.path, other);
    for (const path of [file.path, other])
      await assert.rejects(checkPlan(plan(), into(path)), { code: 'link-file-source' });
    await checkPlan(plan(), into(join(dir, 'new.pcap')));
  });

  test('takes the default route where that is allowed', async (t) => {
    const { context, plan } = await given(t, { interfaces: interfaces({ defaultRoute: true }) });
    await checkPlan(
      plan({}, { policies: { ...plainReplay.policies, allowDefaultRouteInterface: true } }),
      context,
    );
  });

  test('never takes it where the agent was not started so, whatever the plan says', async (t) => {
    const { context, plan } = await given(t, {
      interfaces: interfaces({ defaultRoute: true }),
      mayUseDefaultRoute: false,
    });
    const policies = { ...plainReplay.policies, allowDefaultRouteInterface: true };
    await assert.rejects(checkPlan(plan({}, { policies }), context), { code: 'sensor-default-route' });
    await checkOwnLink({ ...context, link: { kind: 'null' } });
  });

  test('names the interfaces that there are', async (t) => {
    const { context, plan } = await given(t, { interfaces: interfaces(null) });
    await assert.rejects(checkPlan(plan(), context), /lo, eth0/);
  });

  test('lets a frame of the MTU with header and VLAN tag pass, and no larger one', async (t) => {
    const { context, plan } = await given(t);
    await checkPlan(plan({ maxCaptured: 1518 }), context);
    await assert.rejects(checkPlan(plan({ maxCaptured: 1519 }), context), { code: 'frame-too-large' });
    await assert.rejects(
      checkPlan(plan({ maxCaptured: 9014 }), context),
      (thrown: Error & { hint: string }) => {
        assert.match(thrown.hint, /mtu 9000/);
        return true;
      },
    );
  });

  test('refuses no frame for its size where a filter may leave it out', async (t) => {
    const { context, plan } = await given(t);
    const filter = { expression: 'less 1514', program: [{ code: 6, jt: 0, jf: 0, k: 1 }] };
    assert.equal(await checkPlan(plan({ maxCaptured: 9014 }, { filter }), context), 1500);
  });

  test('knows what a link takes of the MTU', async (t) => {
    const { context, plan } = await given(t, {
      link: { kind: 'af_xdp', interface: 'eth1' },
      interfaces: interfaces({ mtu: 9000 }),
    });
    assert.equal(await checkPlan(plan({ maxCaptured: 4096 }), context), 4078);
    await assert.rejects(checkPlan(plan({ maxCaptured: 4097 }), context), { code: 'frame-too-large' });
  });

  test('refuses no frame and asks for no interface where the link is none', async (t) => {
    const { context, plan } = await given(t, { link: { kind: 'null' }, interfaces: interfaces(null) });
    await checkPlan(plan({ maxCaptured: 200_000 }), context);
  });

  test('refuses a link type that is not Ethernet, also where only the file tells it', async (t) => {
    const { context, plan } = await given(t, {}, 113);
    await assert.rejects(checkPlan(plan(), context), { code: 'interface-link-type' });
    await assert.rejects(checkPlan(plan({ linkTypes: [] }), context), { code: 'interface-link-type' });
  });

  test('lets link types pass that are turned into Ethernet, and no others', async (t) => {
    for (const [linkType, passes] of [
      [113, true],
      [101, true],
      [105, false],
    ] as const) {
      const { context, plan } = await given(t, {}, linkType);
      const edited = plan({ maxCaptured: 60 }, { edits: { ...plainReplay.edits, toEthernet: true } });
      if (passes) await checkPlan(edited, context);
      else await assert.rejects(checkPlan(edited, context), { code: 'interface-link-type' });
    }
  });

  test('judges the largest frame by what goes out', async (t) => {
    const { context, plan } = await given(t, {}, 101);
    const edits = { ...plainReplay.edits, toEthernet: true };
    const vlanAdd = { id: 1, priority: 0, type: '802.1Q' } as const;
    const check = (file: Partial<PlanFile>, change: Partial<SensorPlan['edits']>): Promise<unknown> =>
      checkPlan(plan(file, { edits: { ...edits, ...change } }), context);
    const tooLarge = { code: 'frame-too-large' };
    // MTU, header and tag: 1518; a raw packet gets 14 bytes of header.
    await check({ maxCaptured: 1504 }, {});
    await assert.rejects(check({ maxCaptured: 1505 }, {}), tooLarge);
    await check({ maxCaptured: 1500 }, { vlanAdd });
    await assert.rejects(check({ maxCaptured: 1501 }, { vlanAdd }), tooLarge);
    await check({ maxCaptured: 1505 }, { vlanStrip: true });
    await check({ maxCaptured: 96, maxWire: 9000 }, {});
    await assert.rejects(
      check({ maxCaptured: 96, maxWire: 9000 }, { padToWire: true }),
      /frame of 9014 bytes/,
    );
  });

  test('refuses a file that is gone, or is not the one that was mapped', async (t) => {
    const { context, plan, dir } = await given(t);
    await assert.rejects(checkPlan(plan({ path: join(dir, 'gone') }), context), { code: 'file-missing' });
    await assert.rejects(checkPlan(plan({ fileSize: 5 }), context), { code: 'file-changed' });
    await assert.rejects(checkPlan(plan({ version: '5' }), context), { code: 'file-changed' });
  });

  test('lets a member of an uncompressed tarball pass, and holds the tarball against the mapping', async (t) => {
    const { context, plan, dir } = await given(t, {}, 113);
    const tarball = join(dir, 'set.tar');
    const put = (linkType: number): Promise<void> =>
      writeFile(tarball, tarFile([{ name: 'a.pcap', data: captureOf([60, 60], { linkType }) }]));
    const member = async (): Promise<Partial<PlanFile>> => ({
      path: `${tarball}!/a.pcap`,
      fileSize: captureOf([60, 60]).length,
      version: (await disk.stat(tarball)).version,
      within: { path: tarball, offset: 512 },
      maxCaptured: 60,
    });
    await put(1);
    const mapped = await member();
    await checkPlan(plan({ ...mapped, linkTypes: [1] }), context);
    await checkPlan(plan({ ...mapped, linkTypes: [] }), context);
    await checkPlan(plan({ ...mapped, linkTypes: [], fileSize: null, version: null }), context);
    await put(113);
    await assert.rejects(checkPlan(plan({ ...mapped, linkTypes: [1] }), context), { code: 'file-changed' });
    await assert.rejects(checkPlan(plan({ ...(await member()), linkTypes: [] }), context), {
      code: 'interface-link-type',
    });
    const outside = { ...context, roots: [join(dir, 'inner')] };
    await assert.rejects(checkPlan(plan({ ...(await member()), linkTypes: [1] }), outside), {
      code: 'file-outside-roots',
    });
  });

  test('refuses a member of a compressed tarball, and says what to do', async (t) => {
    const { context, plan, dir } = await given(t);
    const tarball = join(dir, 'odd!', 'set.tar.gz');
    await mkdir(join(dir, 'odd!'));
    await writeFile(tarball, 'whatever');
    await assert.rejects(
      checkPlan(plan({ path: `${tarball}!/sub/a.pcap` }), context),
      (thrown: Error & { code: string; hint: string }) => {
        assert.equal(thrown.code, 'tarball-compressed');
        assert.match(thrown.hint, new RegExp(`capfleet tarExtract --in-tarball ${tarball} `));
        return true;
      },
    );
    await assert.rejects(checkPlan(plan({ path: join(dir, 'gone.tar!/a.pcap') }), context), {
      code: 'file-missing',
    });
  });

  test('refuses a file outside the roots, also behind a link or dots', async (t) => {
    const { context, plan, dir } = await given(t);
    const roots = [join(dir, 'inner')];
    await mkdir(roots[0]!);
    await symlink(join(dir, 'a.pcap'), join(dir, 'inner', 'link.pcap'));
    for (const path of ['a.pcap', 'inner/link.pcap', 'inner/../a.pcap']) {
      const change = { path: join(dir, path) };
      await assert.rejects(checkPlan(plan(change), { ...context, roots }), { code: 'file-outside-roots' });
    }
  });

  test('looks at every one of many files', async (t) => {
    const { context, file, dir } = await given(t);
    const files = Array.from({ length: 100 }, () => file);
    files[97] = { ...file, path: join(dir, 'gone') };
    await assert.rejects(checkPlan(sensorPlan('one', { files }), context), { code: 'file-missing' });
  });
});
