// Ports of TCP and UDP, on either side.
import type { WordChanges } from './checksum.ts';
import type { EditPlan } from './edit-plan.ts';
import { PROTOCOL, type FrameHeaders } from './headers.ts';

export class PortMap {
  readonly #ports = Uint16Array.from({ length: 65_536 }, (_, port) => port);

  /** The first rule that holds a port counts. */
  constructor(rules: EditPlan['portMap']) {
    for (const { from, through, to } of rules.toReversed()) this.#ports.fill(to, from, through + 1);
  }

  map(bytes: Buffer, { transport, protocol }: FrameHeaders, end: number, changes: WordChanges): void {
    if (transport < 0 || transport + 4 > end) return;
    if (protocol !== PROTOCOL.tcp && protocol !== PROTOCOL.udp) return;
    this.#put(bytes, transport, changes);
    this.#put(bytes, transport + 2, changes);
  }

  #put(bytes: Buffer, at: number, changes: WordChanges): void {
    changes.write(bytes, at, this.#ports[bytes.readUInt16BE(at)] as number);
  }
}
