// The process that captures a far end through the npm package `pcap`, which can run on no other thread than a main
// one. libpcap itself writes the packets to a file, so that none costs memory here. The package asks libpcap for no
// finer stamps than its default, 1 µs. It stays until whoever wanted the capture ends it, or is gone, however that ended:
// then nobody else is there to remove the capture.
import { rmSync } from 'node:fs';
import { setPriority } from 'node:os';
import { dirname } from 'node:path';
import { reasonOf } from '@capfleet/shared/errors/failure';
import { loadNpmPcap, type NpmPcap, type PcapCapture } from './npm-pcap.ts';

export type ToFarEndProcess = 'stop';

export type FromFarEndProcess =
  | { readonly type: 'listening' }
  | { readonly type: 'failed'; readonly reason: string; readonly library: boolean }
  | { readonly type: 'ended'; readonly packets: number; readonly dropped: number };

const BUFFER_BYTES = 64 * 1024 * 1024;
/** As libpcap's own programs. */
const SNAP_LENGTH = 262_144;
/** A block of the kernel's ring that is not full is handed over after this. */
const BLOCK_TIMEOUT_MS = 50;
/** The package hears of a block only when the next one comes: it is asked, too. */
const READ_EVERY_MS = 20;
const QUIET_MS = 300;
/** On a wire that is never quiet. */
const LONGEST_SETTLE_MS = 3000;
/** The replay on the same host comes first; the buffer is large. */
const NICENESS = 5;

const [device = '', file = ''] = process.argv.slice(2);

function say(message: FromFarEndProcess): void {
  process.send?.(message);
}

function loadPcap(): NpmPcap | null {
  try {
    return loadNpmPcap();
  } catch (error) {
    say({ type: 'failed', reason: reasonOf(error), library: true });
    return null;
  }
}

function capture(pcap: NpmPcap): void {
  let packets = 0;
  class Capture extends pcap.PcapSession {
    override on_packet_ready(): void {
      packets += 1;
    }
  }
  let session: PcapCapture;
  try {
    // No `inbound`: libpcap applies a new filter to the first block itself, where it cannot tell a direction.
    const filter = '';
    session = new Capture(
      true,
      device,
      filter,
      BUFFER_BYTES,
      SNAP_LENGTH,
      file,
      false,
      BLOCK_TIMEOUT_MS,
      true,
    );
    if (session.link_type !== 'LINKTYPE_ETHERNET')
      throw new Error(`it is no Ethernet but ${session.link_type}`);
  } catch (error) {
    say({ type: 'failed', reason: reasonOf(error), library: false });
    return;
  }
  try {
    setPriority(NICENESS);
  } catch {
    // As it is, then.
  }
  let stopAsked = Number.POSITIVE_INFINITY;
  let seen = -1;
  let since = 0;
  const reading = setInterval(() => {
    session.session.read_callback();
    const now = performance.now();
    if (!Number.isFinite(stopAsked)) return;
    const { ps_recv: arrived, ps_drop: dropped } = session.stats();
    if (arrived + packets !== seen) {
      seen = arrived + packets;
      since = now;
    }
    if (now - since < QUIET_MS && now - stopAsked < LONGEST_SETTLE_MS) return;
    clearInterval(reading);
    session.close();
    say({ type: 'ended', packets, dropped });
  }, READ_EVERY_MS);
  process.on('message', () => {
    stopAsked = performance.now();
  });
  say({ type: 'listening' });
}

/** The folder is the capture's own. */
function leave(): void {
  rmSync(dirname(file), { recursive: true, force: true });
  process.exit(0);
}

process.on('disconnect', leave);
// It may be gone already.
if (!process.connected) leave();
const pcap = loadPcap();
if (pcap) capture(pcap);
