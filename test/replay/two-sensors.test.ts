// The whole way over network interfaces: a set of four capture threads is mapped, and two sensors in network
// namespaces of their own replay their shares at one instant; tcpdump at the far ends is the witness.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { addsUp, type RunReport } from '@capfleet/shared/contract/report';
import { startPrivateRedis } from '@capfleet/cli/local/private-redis';
import { readDump } from '@capfleet/shared/dataset/gophercap-json';
import { plainReplay, planReplay } from '@capfleet/shared/dataset/replay-plan';
import { parseRational } from '@capfleet/shared/time/rational';
import { compareReplay, type Comparison } from '../support/compare-replay.ts';
import { runCapfleet } from '../support/capfleet.ts';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import { removeNamespace } from '../support/netns.ts';
import { SHORT_LEAD } from '../support/replay-cli.ts';
import { end, makeSensorHost, startAgent, type SensorHost } from '../support/sensor-hosts.ts';
import { makeSyntheticSet } from '../support/synthetic-set.ts';
import { tempDir } from '../support/temp-dir.ts';

const skip = await enterNamespaces(import.meta);
const SENSORS = ['a', 'b'];

interface Played {
  readonly report: RunReport;
  readonly comparison: Comparison;
}

async function playOverTwoSensors(t: TestContext, speedText: string, largestFrame: number): Promise<Played> {
  const dir = await tempDir(t);
  const captures = join(dir, 'captures');
  await mkdir(captures);
  await makeSyntheticSet({
    seed: 7,
    dir: captures,
    seconds: 2,
    packetsPerSecond: 1000,
    threads: 4,
    largestFrame,
  });
  const redis = await startPrivateRedis();
  t.after(() => redis.close());
  const dump = join(dir, 'map.json');
  const mapped = await runCapfleet(['map', '--source', captures, '--dump-json', dump, '--file-workers', '1']);
  assert.equal(mapped.code, 0, mapped.stderr);

  const hosts: SensorHost[] = [];
  for (const sensor of SENSORS) {
    const host = await makeSensorHost(sensor, largestFrame, dir);
    hosts.push(host);
    t.after(async () => {
      await removeNamespace(host.ns);
      await removeNamespace(`far-${sensor}`);
    });
  }
  const agents = hosts.map((host) => startAgent(host, redis.url));
  const args = ['--sensors', SENSORS.join(','), '--dump-json', dump, '--redis', redis.url];
  const how = ['--time-modifier', speedText, ...SHORT_LEAD, '--json'];
  const { code, stdout, stderr } = await runCapfleet(['replay', ...args, ...how]);
  assert.ok(code === 0 || code === 4, stderr);
  await Promise.all([...hosts.map(({ receiver }) => receiver.stop()), ...agents.map(end)]);

  const set = readDump(await readFile(dump, 'utf8'), dump);
  const speed = parseRational(speedText);
  assert.ok(speed && set.span);
  const plans = planReplay(set, { ...plainReplay, sensors: SENSORS, rule: { by: 'lane' }, speed }, dump);
  const comparison = await compareReplay({
    sensors: plans.map((plan, index) => ({
      sensor: plan.sensor,
      files: plan.files.map(({ path }) => path),
      received: hosts[index]?.received ?? '',
    })),
    speed: { numerator: BigInt(speed.numerator), denominator: BigInt(speed.denominator) },
    base: set.span.earliest,
    distances: [],
  });
  return { report: JSON.parse(stdout) as RunReport, comparison };
}

function assertEverythingArrived({ report, comparison }: Played): void {
  for (const { sensor, expected, received, inPlace } of comparison.sensors) {
    assert.ok(expected > 0, `${sensor} has a share`);
    assert.equal(received, expected, `${sensor}: packets at the far end`);
    assert.equal(inPlace, expected, `${sensor}: in order, byte for byte`);
  }
  for (const { sensor, result } of report.sensors) {
    assert.ok(result, `${sensor} reported`);
    assert.ok(addsUp(result.accounts), `${sensor}: accounts add up`);
    assert.equal(result.accounts.sent, comparison.sensors.find((other) => other.sensor === sensor)?.received);
  }
  // The clock may be noisy on a shared machine: a loose bound, the demo holds the tight one.
  assert.ok(comparison.startSkew < 100_000_000n, `start skew ${String(comparison.startSkew)} ns`);
}

for (const [speed, largestFrame] of [
  ['1', 1514],
  ['2.5', 9014],
] as const) {
  test(
    `two sensors at ${speed}× play every packet of their shares in order, frames up to ${String(largestFrame)} bytes`,
    { skip },
    async (t) => {
      assertEverythingArrived(await playOverTwoSensors(t, speed, largestFrame));
    },
  );
}
