// What is changed in each frame before it goes out, as plain data: part of a sensor's plan, and what `capfleet edit`
// works by. The order of the edits is fixed (see frame-editor) and does not follow the order in which they were named.
import { z } from 'zod';
import { parsePrefix } from './address.ts';

/** Rules of one kind; each frame is held against all of them. */
const MOST_RULES = 1024;
const macPattern = /^[\da-f]{2}(:[\da-f]{2}){5}$/;

const mac = z.string().regex(macPattern);
const vlanId = z.int().min(0).max(4095);
const port = z.int().min(0).max(65_535);
const prefix = z.string().refine((text) => parsePrefix(text) !== null, 'no prefix such as 10.0.0.0/8');

const ipRuleSchema = z
  .object({ from: prefix, to: prefix })
  .refine(({ from, to }) => mismatch(from, to) === null, 'prefixes of two lengths or families');

export const editPlanSchema = z.object({
  /** Cooked, raw IP and loopback packets get an Ethernet header. */
  toEthernet: z.boolean(),
  /** Of every frame; null: as it is. */
  macSource: mac.nullable(),
  macDestination: mac.nullable(),
  /** Wherever the address stands in the header, and in ARP. */
  macMap: z.array(z.object({ from: mac, to: mac })).max(MOST_RULES),
  /** Takes all tags off. */
  vlanStrip: z.boolean(),
  vlanMap: z.array(z.object({ from: vlanId, to: vlanId })).max(4096),
  /** Put outside of those that are there. */
  vlanAdd: z
    .object({ id: vlanId, priority: z.int().min(0).max(7), type: z.enum(['802.1Q', '802.1ad']) })
    .nullable(),
  /** The first prefix that holds an address counts; the bits behind the prefix stay. */
  ipMap: z.array(ipRuleSchema).max(MOST_RULES),
  /** Other addresses in each loop. */
  uniqueIp: z.boolean(),
  /** Of TCP and UDP, both ends included. */
  portMap: z.array(z.object({ from: port, through: port, to: port })).max(65_536),
  /** Time to live, hop limit. */
  ttl: z
    .discriminatedUnion('kind', [
      z.object({ kind: z.literal('set'), value: z.int().min(1).max(255) }),
      z.object({ kind: z.literal('add'), value: z.int().min(-255).max(255) }),
    ])
    .nullable(),
  /** A frame that was cut when it was captured gets zeros up to its length on the wire. */
  padToWire: z.boolean(),
  /** Computes all checksums anew, whatever they were. */
  fixChecksums: z.boolean(),
});

export type EditPlan = z.infer<typeof editPlanSchema>;

export const noEdits: EditPlan = {
  toEthernet: false,
  macSource: null,
  macDestination: null,
  macMap: [],
  vlanStrip: false,
  vlanMap: [],
  vlanAdd: null,
  ipMap: [],
  uniqueIp: false,
  portMap: [],
  ttl: null,
  padToWire: false,
  fixChecksums: false,
};

export function changesNothing(plan: EditPlan): boolean {
  return Object.values(plan).every((part) => part === null || part === false || isEmpty(part));
}

function isEmpty(part: unknown): boolean {
  return Array.isArray(part) && part.length === 0;
}

/** Why one prefix cannot be mapped onto the other; null where it can. Both must be prefixes. */
export function mismatch(from: string, to: string): string | null {
  const [a, b] = [parsePrefix(from), parsePrefix(to)];
  if (!a || !b) return `${a ? to : from} is no prefix`;
  if (a.bytes.length !== b.bytes.length) return 'one is IPv4, the other IPv6';
  if (a.bits !== b.bits) return `/${String(a.bits)} and /${String(b.bits)} are of two lengths`;
  return null;
}
