// Sensors for a benchmark: agents in network namespaces of their own, each with a wall clock of its own, over one Redis.
// What they send is captured at the far ends with stamps of the one clock that Redis has too. All of it ends with this
// process.
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RunReport } from '@capfleet/shared/contract/report';
import { parseInstant } from '@capfleet/shared/time/nanos';
import { compareReplay, type Comparison, type SensorSource } from '../../test/support/compare-replay.ts';
import { spawnIn } from '../../test/support/netns.ts';
import { readPcap, type ReadPacket } from '../../test/support/pcap-reader.ts';
import {
  captureFarEnd,
  makeSensorLink,
  startAgent,
  type SensorLink,
} from '../../test/support/sensor-hosts.ts';
import { wallClocks } from '../../test/support/wall-clock.ts';
import { SET_START, writeSet, type Packets } from './paced-set.ts';
import { PROGRAM } from './processes.ts';

/** Where wall clocks are, ns ahead of the host's. */
type WallClocks = Readonly<Record<string, bigint>>;

export interface SharedSet {
  /** Its mapping. */
  readonly dump: string;
  /** The one file of each sensor. */
  readonly files: ReadonlyMap<string, string>;
}

export interface Played {
  readonly report: RunReport;
  /** All that arrived, by sensor. */
  readonly arrived: ReadonlyMap<string, readonly ReadPacket[]>;
  /** How far each packet of a sensor arrived from its due time, which is on the same clock: |ns|, the least first. */
  readonly off: ReadonlyMap<string, readonly number[]>;
  /** Against the files, at their own speed. */
  readonly comparison: Comparison;
}

export class Sensors {
  readonly #links: readonly SensorLink[];
  readonly #folder: string;
  readonly #redis: string;

  private constructor(links: readonly SensorLink[], folder: string, redis: string) {
    this.#links = links;
    this.#folder = folder;
    this.#redis = redis;
  }

  static async start(clocks: WallClocks, folder: string, redis: string): Promise<Sensors> {
    const wallClock = wallClocks(folder);
    const links: SensorLink[] = [];
    for (const [sensor, ahead] of Object.entries(clocks)) {
      const link = await makeSensorLink(sensor, 0);
      const clock = wallClock(`clock-${sensor}`);
      clock.set(ahead);
      // That Redis is gone is no news here.
      startAgent(link, redis, { env: clock.env }, 'error');
      links.push(link);
    }
    return new Sensors(links, folder, redis);
  }

  /** A file for each sensor, mapped as one set. */
  async makeSet(name: string, packetsOf: (place: number) => Packets): Promise<SharedSet> {
    const folder = join(this.#folder, name);
    const files = new Map<string, string>();
    let number = 0;
    for (const [place, { sensor }] of this.#links.entries()) {
      mkdirSync(join(folder, sensor), { recursive: true });
      const file = join(folder, sensor, '1.pcap');
      number += writeSet(file, packetsOf(place), number);
      files.set(sensor, file);
    }
    const dump = join(folder, 'map.json');
    await this.run(['map', '--source', folder, '--file-suffix', 'pcap', '--dump-json', dump, '--json']);
    return { dump, files };
  }

  /** @param meanwhile what happens during the run; it is over when that is, too */
  async play({ dump, files }: SharedSet, meanwhile?: () => Promise<unknown>): Promise<Played> {
    const sources: SensorSource[] = [];
    const receivers = await Promise.all(
      this.#links.map((link) => {
        const received = join(this.#folder, `received-${link.sensor}.pcap`);
        sources.push({ sensor: link.sensor, files: [files.get(link.sensor) ?? ''], received });
        rmSync(received, { force: true });
        return captureFarEnd(link, received);
      }),
    );
    const shares = this.#links.flatMap(({ sensor }) => ['--assign', `${sensor}=${sensor}/`]);
    const names = this.#links.map(({ sensor }) => sensor).join(',');
    const where = ['--redis', this.#redis, '--sensors', names, ...shares];
    const [output] = await Promise.all([
      this.run(['replay', '--dump-json', dump, ...where, '--lead', '500ms', ...QUIETLY]),
      meanwhile?.(),
    ]);
    for (const receiver of receivers) {
      const { droppedByKernel } = await receiver.stop();
      if (droppedByKernel > 0) console.log(`  a receiver lost ${droppedByKernel} packets`);
    }
    const report = JSON.parse(output) as RunReport;
    const start = parseInstant(report.start ?? '') ?? 0n;
    const arrived = new Map(
      sources.map(({ sensor, received }) => [sensor, readPcap(readFileSync(received)).packets]),
    );
    const off = new Map(
      [...arrived].map(([sensor, packets]) => {
        const planned = readPcap(readFileSync(files.get(sensor) ?? '')).packets;
        const due = (index: number): bigint => start + (planned[index]?.time ?? 0n) - SET_START;
        const ns = packets.map(({ time }, index) => Math.abs(Number(time - due(index))));
        return [sensor, ns.sort((a, b) => a - b)];
      }),
    );
    return {
      report,
      arrived,
      off,
      comparison: await compareReplay({
        sensors: sources,
        speed: { numerator: 1n, denominator: 1n },
        base: SET_START,
        distances: DISTANCES,
      }),
    };
  }

  /** Runs the program in the namespace of no sensor; a verdict that does not hold is a result too. */
  async run(args: readonly string[]): Promise<string> {
    const [{ far }] = this.#links as [SensorLink];
    const child = spawnIn(far, process.execPath, [PROGRAM, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0 && code !== 4) throw new Error(`capfleet ${args.join(' ')} ended with ${code}: ${output}`);
    return output;
  }
}

const QUIETLY = ['--log-level', 'error', '--json'];
/** In source time, at which the order between sensors is counted, ns. */
const DISTANCES = [0n, 50_000n, 100_000n, 200_000n, 500_000n, 1_000_000n];
