/**
 * Makes real traffic on the spot and captures it: programs in two network namespaces talk over a veth pair, and
 * tcpdump writes what passes the server's interface into one pcap file. Needs to run in private namespaces (see
 * test/support/enter-namespaces.ts); bounded in time and amount, and leaves nothing but the file. TCP and UDP
 * checksums are incomplete in it, as in every capture taken where interfaces are to fill them in.
 */
import { execFile, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createNamespace, removeNamespace, runIn, spawnIn, vethPair } from '../../test/support/netns.ts';
import { readPcap } from '../../test/support/pcap-reader.ts';
import { startReceiver } from '../../test/support/receive.ts';

export interface LiveCaptureOptions {
  /** Length of the traffic; 10 when left out. */
  seconds?: number;
  /** An existing folder, which gets `live.pcap`. */
  dir: string;
  /** Names of the two namespaces, made and removed again; `client` and `server` when left out. */
  namespaces?: { client: string; server: string };
  /** Unit of the stamps in the capture, `nano` by default. */
  precision?: 'nano' | 'micro';
  /** Gets one line of talk at a time. */
  log?: (line: string) => void;
}

export interface LiveCapture {
  path: string;
  packets: number;
  /** Captured bytes. */
  bytes: number;
  /** From the earliest packet to the latest. */
  seconds: number;
  /** Bytes of the largest frame. */
  largestFrame: number;
  /** Packets with a stamp before that of the packet in front of them: two processors write to one capture. */
  outOfOrder: number;
}

const CLIENT = { name: 'client0', address: '10.77.0.1' };
const SERVER = { name: 'server0', address: '10.77.0.2' };
/** Time that the client may take beyond the asked length, to finish what it began. */
const GRACE_MS = 20_000;
const SERVER_STREAMS: SpawnOptions = { stdio: ['ignore', 'pipe', 'inherit'] };

const script = (name: string): string => join(import.meta.dirname, name);

export async function makeLiveCapture(options: LiveCaptureOptions): Promise<LiveCapture> {
  const { seconds = 10, dir, precision = 'nano', log = () => undefined } = options;
  const { client, server } = options.namespaces ?? { client: 'client', server: 'server' };
  const path = join(dir, 'live.pcap');
  const undo: (() => Promise<unknown>)[] = [];
  try {
    const secrets = await mkdtemp(join(dir, 'live-'));
    undo.push(() => rm(secrets, { recursive: true, force: true }));
    const { key, certificate } = await makeCertificate(secrets);
    for (const ns of [client, server]) {
      await createNamespace(ns);
      undo.push(() => removeNamespace(ns));
    }
    await connect(client, server);

    const servers = [
      spawnIn(
        server,
        process.execPath,
        [script('object-server.ts'), SERVER.address, key, certificate],
        SERVER_STREAMS,
      ),
      spawnIn(server, process.execPath, [script('datagram-server.ts'), SERVER.address], SERVER_STREAMS),
    ];
    undo.push(() => Promise.all(servers.map(kill)));
    await Promise.all(servers.map(ready));

    const iface = SERVER.name;
    const receiver = await startReceiver({ ns: server, iface, file: path, direction: 'inout', precision });
    log(`real programs talk for ${seconds} s: HTTP, HTTPS and DNS between two network namespaces`);
    await runClient(client, certificate, seconds);
    const { packets, droppedByKernel } = await receiver.stop();
    if (droppedByKernel > 0) log(`${droppedByKernel} packets were not captured`);
    const facts = await factsOf(path);
    if (facts.packets !== packets)
      throw new Error(`${facts.packets} packets in ${path}, tcpdump told ${packets}`);
    log(
      `captured ${facts.packets} packets, ${(facts.bytes / 1e6).toFixed(1)} MB in ${facts.seconds.toFixed(1)} s, ` +
        `largest frame ${facts.largestFrame} bytes`,
    );
    return facts;
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

async function makeCertificate(dir: string): Promise<{ key: string; certificate: string }> {
  const key = join(dir, 'key.pem');
  const certificate = join(dir, 'certificate.pem');
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const name = ['-subj', '/CN=server.test', '-addext', 'subjectAltName=DNS:server.test'];
  await promisify(execFile)('openssl', [
    'req',
    '-x509',
    ...kind,
    ...name,
    '-keyout',
    key,
    '-out',
    certificate,
  ]);
  return { key, certificate };
}

async function connect(client: string, server: string): Promise<void> {
  await vethPair({
    a: { ns: client, name: CLIENT.name, address: `${CLIENT.address}/24` },
    b: { ns: server, name: SERVER.name, address: `${SERVER.address}/24` },
  });
  // Without this a veth carries TCP segments of up to 64 KB, which no real wire would.
  await runIn(client, 'ip', ['link', 'set', 'dev', CLIENT.name, 'gso_max_segs', '1']);
  await runIn(server, 'ip', ['link', 'set', 'dev', SERVER.name, 'gso_max_segs', '1']);
}

async function ready(server: ChildProcess): Promise<void> {
  if (server.stdout === null) throw new Error('a server needs a pipe for its standard output');
  const [first] = (await Promise.race([once(server.stdout, 'data'), once(server, 'exit')])) as [unknown];
  if (String(first) !== 'ready\n') throw new Error(`a server did not start (${String(first)})`);
}

async function runClient(ns: string, certificate: string, seconds: number): Promise<void> {
  const args = [script('traffic-client.ts'), SERVER.address, certificate, String(seconds)];
  const client = spawnIn(ns, process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const timer = setTimeout(() => client.kill('SIGKILL'), seconds * 1000 + GRACE_MS);
  const [code, signal] = (await once(client, 'exit')) as [number | null, string | null];
  clearTimeout(timer);
  if (code !== 0) throw new Error(`the client ended with ${signal ?? code}`);
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function factsOf(path: string): Promise<LiveCapture> {
  const { packets } = readPcap(await readFile(path));
  const times = packets.map(({ time }) => time);
  const ordered = times.toSorted((a, b) => Number(a - b));
  return {
    path,
    packets: packets.length,
    bytes: packets.reduce((sum, { data }) => sum + data.length, 0),
    seconds: Number((ordered.at(-1) ?? 0n) - (ordered[0] ?? 0n)) / 1e9,
    largestFrame: packets.reduce((largest, { wireLength }) => Math.max(largest, wireLength), 0),
    outOfOrder: times.filter((time, i) => time < (times[i - 1] ?? time)).length,
  };
}
