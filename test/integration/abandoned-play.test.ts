// A play that is given up while it fills, by an agent whose next plan is there already: over real links, and with a file
// that does not come.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostInterfaces } from '@capfleet/replayer/adapters/host-interfaces';
import { requireNative } from '@capfleet/replayer/adapters/native-pacer';
import { nativeSystemClock } from '@capfleet/replayer/adapters/native-system-clock';
import { ClockWatch } from '@capfleet/replayer/clock-watch';
import type { LinkChoice } from '@capfleet/replayer/link';
import { plainPacing } from '@capfleet/replayer/pacing-options';
import { preparePlay } from '@capfleet/replayer/play';
import type { CoordinatorChannel } from '@capfleet/replayer/ports/coordinator-channel';
import { noMeters } from '@capfleet/replayer/meters';
import { runAgent } from '@capfleet/replayer/run-agent';
import type { FromSensor, PrepareJob } from '@capfleet/shared/contract/agent-messages';
import type { PlanFile } from '@capfleet/shared/dataset/replay-plan';
import { silentLogger } from '@capfleet/shared/log/logger';
import { disk } from '@capfleet/shared/source/disk';
import type { Source } from '@capfleet/shared/source/source';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import { NEAR, nearAndFar } from '../support/near-and-far.ts';
import { planFile, prepareJob, sensorPlan } from '../support/play-results.ts';
import { captureOf } from '../support/read-capture.ts';
import { testOptions } from '../support/s3-bucket.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

// Whoever asks S3 needs some.
for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) process.env[name] ??= 'none';

const skip = await enterNamespaces(import.meta);
const pair = nearAndFar();

/** Raw sockets of this network namespace. */
async function rawSockets(): Promise<number> {
  return (await readFile('/proc/net/packet', 'utf8')).trim().split('\n').length - 1;
}

for (const kind of ['af_packet', 'af_xdp', 'pcap'] as const) {
  test(
    `a play into ${kind} that is given up while it fills leaves the link to the next`,
    { skip },
    async (t) => {
      await pair.ready();
      let reads = 0;
      const silent = createServer(() => (reads += 1)).listen(0, '127.0.0.1');
      await once(silent, 'listening');
      t.after(() => silent.close());
      const { port } = silent.address() as AddressInfo;
      const there = join(await tempDir(t), 'a.pcap');
      await writeFile(there, captureOf([60, 60]));
      const { size, version } = await disk.stat(there);
      const facts = { fileSize: size, version, maxCaptured: 60 };
      const [slow, quick] = ['s3://bucket/a.pcap', there].map((path) => planFile({ ...facts, path }));
      const source: Source = { ...disk, stat: async (path) => ({ ...(await disk.stat(there)), path }) };

      const said: FromSensor[] = [];
      let take: (job: PrepareJob) => void = () => undefined;
      const channel: CoordinatorChannel = {
        register: async () => undefined,
        onPlan: async (listener) => void (take = listener),
        claim: async () => true,
        attendedAgo: async () => null,
        say: async (_run, message) => void said.push(message),
        follow: () => undefined,
        close: async () => undefined,
      };
      const native = requireNative();
      const monotonicNow = (): bigint => native.monotonicNow();
      const systemClock = nativeSystemClock(native);
      const reference = {
        measure: async (probes: number) => ({
          at: monotonicNow(),
          offset: 0n,
          bound: 1n,
          roundTrip: 1n,
          probes,
        }),
        close: async () => undefined,
      };
      const link: LinkChoice = { kind, interface: NEAR };
      const s3 = testOptions({ endpoint: `http://127.0.0.1:${port}` });
      const agent = await runAgent({
        sensor: 'one',
        instance: 'i',
        place: 'p',
        version: '1',
        channel,
        prepare: {
          link,
          interfaces: hostInterfaces(native),
          source,
          openFileLimit: 1024,
          roots: ['/'],
          mayUseDefaultRoute: false,
        },
        preparePlay,
        s3,
        pacing: plainPacing,
        clocks: new ClockWatch(reference, systemClock, monotonicNow),
        systemClock,
        monotonicNow,
        meters: noMeters,
        log: silentLogger(),
      });
      const prepare = (epoch: number, file: PlanFile): void => {
        take({ ...prepareJob('run', epoch), plan: sensorPlan('one', { files: [file] }) });
      };
      prepare(1, slow!);
      await waitFor('the first play to read', () => reads > 0, { timeout: 30_000 });
      const since = performance.now();
      prepare(2, quick!);
      await waitFor('a word about the second', () => said.length > 0, { timeout: 30_000 });
      assert.deepEqual(
        said.map(({ type, epoch }) => [type, epoch]),
        [['ready', 2]],
        JSON.stringify(said),
      );
      // The silence itself would last as long as S3 may be silent.
      assert.ok(performance.now() - since < s3.stallMs);
      if (kind !== 'af_xdp') assert.equal(await rawSockets(), 1, 'the link of the first is closed');
      await agent.close();
      await waitFor('no link', async () => (await rawSockets()) === 0);
    },
  );
}
