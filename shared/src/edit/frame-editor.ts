// Edits frame after frame by one plan. A frame that nothing is asked of goes out as it lies in its reader's window; any
// other is copied once into a buffer that all frames share and edited there. Nothing is allocated for a frame, and no
// frame makes it throw: what is cut off or not understood stays as it is.
//
// Order: Ethernet header, MAC addresses, VLAN tags, IP addresses, ports, TTL, padding, checksums.
import { LINKTYPE_ETHERNET } from '../capture/link-type.ts';
import type { PacketReader } from '../capture/packet-reader.ts';
import { MAX_CAPTURED_BYTES } from '../capture/packet-bounds.ts';
import { WordChanges } from './checksum.ts';
import { fixChecksums, moveHeaderChecksum, moveTransportChecksum } from './checksum-repair.ts';
import { changesNothing, type EditPlan } from './edit-plan.ts';
import { FrameBuffer } from './frame-buffer.ts';
import { ETHERNET_HEADER, FrameHeaders } from './headers.ts';
import { IpMap } from './ip-map.ts';
import { MacEdit } from './mac.ts';
import { PortMap } from './port-map.ts';
import { replacedHeader, writeEthernetHeader, type ConversionRefusal } from './to-ethernet.ts';
import { editTtl } from './ttl.ts';
import { UniqueIp } from './unique-ip.ts';
import { VlanEdit } from './vlan.ts';

/** The packet that a reader stands at. */
export type EditablePacket = Pick<
  PacketReader,
  'linkType' | 'window' | 'dataStart' | 'capturedLength' | 'wireLength'
>;

/** A frame as it goes out; valid until the next one is edited or its reader moves. */
export interface OutgoingFrame {
  readonly bytes: Buffer;
  readonly start: number;
  readonly length: number;
  /** What it would have had on the wire if it had not been cut when it was captured; at least `length`. */
  readonly wireLength: number;
}

export interface FrameEditor extends OutgoingFrame {
  /** Whether the last frame differs from what was captured. */
  readonly changed: boolean;
  /** @param loop 0 is the first */
  enterLoop(loop: number): void;
  /** Makes the packet the outgoing frame; or says why it cannot go out, and the frame is undefined. */
  edit(packet: EditablePacket): ConversionRefusal | null;
}

export function createFrameEditor(plan: EditPlan): FrameEditor {
  return changesNothing(plan) ? new Untouched() : new Edited(plan);
}

class Untouched implements FrameEditor {
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  length = 0;
  wireLength = 0;
  readonly changed = false;

  enterLoop(): void {
    // One loop is like another.
  }

  edit(packet: EditablePacket): ConversionRefusal | null {
    this.bytes = packet.window;
    this.start = packet.dataStart;
    this.length = packet.capturedLength;
    this.wireLength = Math.max(packet.wireLength, packet.capturedLength);
    return packet.linkType === LINKTYPE_ETHERNET ? null : 'link-type';
  }
}

class Edited implements FrameEditor {
  changed = false;
  readonly #plan: EditPlan;
  readonly #mac: MacEdit | null;
  readonly #vlan: VlanEdit | null;
  readonly #ip: IpMap | null;
  readonly #unique: UniqueIp | null;
  readonly #ports: PortMap | null;
  /** Whether any edit needs to know where headers are. */
  readonly #looksInside: boolean;
  readonly #frame = new FrameBuffer();
  readonly #headers = new FrameHeaders();
  readonly #source = new WordChanges();
  readonly #destination = new WordChanges();
  readonly #portWords = new WordChanges();
  readonly #ttlWord = new WordChanges();

  constructor(plan: EditPlan) {
    this.#plan = plan;
    const { macSource, macDestination, macMap, vlanStrip, vlanMap, vlanAdd, ipMap, portMap } = plan;
    const hasMac = macSource !== null || macDestination !== null || macMap.length > 0;
    this.#mac = hasMac ? new MacEdit(plan) : null;
    this.#vlan = vlanStrip || vlanMap.length > 0 || vlanAdd ? new VlanEdit(plan) : null;
    this.#ip = ipMap.length > 0 ? new IpMap(ipMap) : null;
    this.#unique = plan.uniqueIp ? new UniqueIp() : null;
    this.#ports = portMap.length > 0 ? new PortMap(portMap) : null;
    const mapsAddresses = macMap.length > 0 || this.#ip !== null || this.#unique !== null;
    this.#looksInside = mapsAddresses || this.#ports !== null || plan.ttl !== null || plan.fixChecksums;
  }
  get bytes(): Buffer {
    return this.#frame.bytes;
  }

  get start(): number {
    return this.#frame.start;
  }

  get length(): number {
    return this.#frame.length;
  }

  get wireLength(): number {
    return this.#frame.wireLength;
  }

  enterLoop(loop: number): void {
    this.#unique?.enterLoop(loop);
  }

  edit(packet: EditablePacket): ConversionRefusal | null {
    const frame = this.#frame;
    const refusal = this.#take(packet);
    if (refusal !== null) return refusal;
    if (this.#mac?.edit(frame)) this.changed = true;
    if (this.#vlan?.edit(frame)) this.changed = true;
    if (this.#looksInside) {
      this.#headers.find(frame.bytes, frame.start, frame.end, frame.start + frame.wireLength);
      if (this.#headers.arp >= 0) this.#editArp(this.#headers.arp);
      else if (this.#headers.network >= 0) this.#editPacket();
    }
    if (this.#plan.padToWire && frame.wireLength > frame.length) {
      const { length } = frame;
      frame.pad(Math.min(frame.wireLength, MAX_CAPTURED_BYTES));
      if (frame.length > length) this.changed = true;
    }
    if (this.#plan.fixChecksums && this.#headers.network >= 0)
      this.changed = fixChecksums(frame.bytes, this.#headers, frame.end) || this.changed;
    return null;
  }

  /** Brings the packet into the buffer as an Ethernet frame. */
  #take({
    linkType,
    window,
    dataStart,
    capturedLength,
    wireLength,
  }: EditablePacket): ConversionRefusal | null {
    const frame = this.#frame;
    const onWire = Math.max(wireLength, capturedLength);
    this.changed = false;
    if (linkType === LINKTYPE_ETHERNET) {
      frame.take(window, dataStart, capturedLength, onWire);
      return null;
    }
    if (!this.#plan.toEthernet) return 'link-type';
    const own = Math.min(replacedHeader(linkType), capturedLength);
    frame.take(window, dataStart + own, capturedLength - own, onWire - own);
    frame.grow(ETHERNET_HEADER);
    this.changed = true;
    return writeEthernetHeader(linkType, window, dataStart, capturedLength, onWire, frame.bytes, frame.start);
  }

  #editArp(arp: number): void {
    const { bytes } = this.#frame;
    if (this.#mac?.editArp(bytes, arp)) this.changed = true;
    this.#source.reset();
    // Of the sender and of the target.
    this.#editAddress(arp + 14, 4, this.#source);
    this.#editAddress(arp + 24, 4, this.#source);
    if (this.#source.changed) this.changed = true;
  }

  #editPacket(): void {
    const { bytes, end } = this.#frame;
    const headers = this.#headers;
    const { network, version, routed } = headers;
    const source = this.#source;
    const destination = this.#destination;
    const ports = this.#portWords;
    const ttl = this.#ttlWord;
    source.reset();
    destination.reset();
    ports.reset();
    ttl.reset();
    this.#editAddress(network + (version === 4 ? 12 : 8), version, source);
    this.#editAddress(network + (version === 4 ? 16 : 24), version, destination);
    this.#ports?.map(bytes, headers, end, ports);
    if (this.#plan.ttl) editTtl(bytes, headers, this.#plan.ttl, ttl);
    if (!source.changed && !destination.changed && !ports.changed && !ttl.changed) return;
    this.changed = true;
    moveHeaderChecksum(bytes, headers, source);
    moveHeaderChecksum(bytes, headers, destination);
    moveHeaderChecksum(bytes, headers, ttl);
    moveTransportChecksum(bytes, headers, end, source);
    if (!routed) moveTransportChecksum(bytes, headers, end, destination);
    moveTransportChecksum(bytes, headers, end, ports);
  }

  #editAddress(at: number, version: 4 | 6, changes: WordChanges): void {
    const { bytes } = this.#frame;
    this.#ip?.map(bytes, at, version, changes);
    this.#unique?.move(bytes, at, version, changes);
  }
}
