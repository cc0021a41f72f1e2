// Hardware addresses: of the Ethernet header set or mapped, of ARP mapped, so that the two stay in line.
import { parseMac } from './address.ts';
import type { EditPlan } from './edit-plan.ts';
import type { FrameBuffer } from './frame-buffer.ts';

const MAC_BYTES = 6;
const ARP_SENDER = 8;
const ARP_TARGET = 18;

interface Mac {
  readonly high: number;
  readonly low: number;
}

interface Rule {
  readonly high: number;
  readonly to: Mac;
}

export class MacEdit {
  readonly #source: Mac | null;
  readonly #destination: Mac | null;
  /** By the lower bits, so that a look-up makes no number that does not fit 32 bits. */
  readonly #rules = new Map<number, Rule[]>();

  constructor({ macSource, macDestination, macMap }: EditPlan) {
    this.#source = macSource === null ? null : parseMac(macSource);
    this.#destination = macDestination === null ? null : parseMac(macDestination);
    for (const { from, to } of macMap) {
      const { high, low } = parseMac(from);
      const rules = this.#rules.get(low) ?? [];
      rules.push({ high, to: parseMac(to) });
      this.#rules.set(low, rules);
    }
  }

  /** @returns whether anything changed */
  edit({ bytes, start, length }: FrameBuffer): boolean {
    if (length < 2 * MAC_BYTES) return false;
    const destination = this.#put(bytes, start, this.#destination);
    return this.#put(bytes, start + MAC_BYTES, this.#source) || destination;
  }

  /** @param arp where the ARP packet begins */
  editArp(bytes: Buffer, arp: number): boolean {
    const sender = this.#put(bytes, arp + ARP_SENDER, null);
    return this.#put(bytes, arp + ARP_TARGET, null) || sender;
  }

  #put(bytes: Buffer, at: number, set: Mac | null): boolean {
    const high = bytes.readUInt16BE(at);
    const low = bytes.readInt32BE(at + 2);
    const to = set ?? this.#mapped(high, low);
    if (to === null || (to.high === high && to.low === low)) return false;
    bytes.writeUInt16BE(to.high, at);
    bytes.writeInt32BE(to.low, at + 2);
    return true;
  }

  #mapped(high: number, low: number): Mac | null {
    const rules = this.#rules.get(low);
    if (!rules) return null;
    for (const rule of rules) if (rule.high === high) return rule.to;
    return null;
  }
}
