// The options that say what is changed in each frame: those of a replay, of what holds one against its plan, and of
// `capfleet edit`.
import { InvalidArgumentError, Option, type Command } from 'commander';
import { mismatch, type EditPlan } from '@capfleet/shared/edit/edit-plan';

export interface EditOptions {
  readonly dlt?: 'ethernet';
  readonly macSrc?: string;
  readonly macDst?: string;
  readonly macMap?: EditPlan['macMap'];
  readonly vlanStrip: boolean;
  readonly vlanMap?: EditPlan['vlanMap'];
  readonly vlanAdd?: NonNullable<EditPlan['vlanAdd']>;
  readonly ipMap?: EditPlan['ipMap'];
  /** Of a replay only. */
  readonly uniqueIp?: boolean;
  readonly portMap?: EditPlan['portMap'];
  readonly ttl?: NonNullable<EditPlan['ttl']>;
  readonly pktlen: boolean;
  readonly fixChecksums: boolean;
}

export function addEditOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--dlt <type>',
        'turn cooked, raw IP, null and loop packets into frames of this type; else they are refused',
      ).choices(['ethernet']),
    )
    .addOption(new Option('--mac-src <mac>', 'source address of every frame').argParser(parseMacAddress))
    .addOption(new Option('--mac-dst <mac>', 'destination address of every frame').argParser(parseMacAddress))
    .addOption(
      new Option('--mac-map <old=new>', 'a MAC address, wherever it stands; repeatable').argParser(
        parseMacMap,
      ),
    )
    .option('--vlan-strip', 'take all VLAN tags off', false)
    .addOption(
      new Option('--vlan-map <old=new>', 'id of VLAN tags; repeatable')
        .argParser(parseVlanMap)
        .conflicts('vlanStrip'),
    )
    .addOption(
      new Option(
        '--vlan-add <id[:priority][@8021ad]>',
        'put a VLAN tag on, outside of those that are there',
      ).argParser(parseVlanTag),
    )
    .addOption(
      new Option(
        '--ip-map <old=new>',
        'IPv4 or IPv6 addresses by prefix, such as 10.0.0.0/8=172.0.0.0/8; repeatable, the first that fits counts',
      ).argParser(parseIpMap),
    )
    .addOption(
      new Option(
        '--port-map <old=new>',
        'TCP and UDP ports, such as 80=8080 or 8000-8999=80; repeatable',
      ).argParser(parsePortMap),
    )
    .addOption(new Option('--ttl <n>', 'set TTL and hop limit, or with a sign move them').argParser(parseTtl))
    .option(
      '--pktlen',
      'pad frames that were cut when captured with zeros to their length on the wire',
      false,
    )
    .option('--fix-checksums', 'compute checksums of IP, TCP, UDP and ICMP anew', false);
}

export function editsOf(options: EditOptions): EditPlan {
  return {
    toEthernet: options.dlt === 'ethernet',
    macSource: options.macSrc ?? null,
    macDestination: options.macDst ?? null,
    macMap: options.macMap ?? [],
    vlanStrip: options.vlanStrip,
    vlanMap: options.vlanMap ?? [],
    vlanAdd: options.vlanAdd ?? null,
    ipMap: options.ipMap ?? [],
    uniqueIp: options.uniqueIp ?? false,
    portMap: options.portMap ?? [],
    ttl: options.ttl ?? null,
    padToWire: options.pktlen,
    fixChecksums: options.fixChecksums,
  };
}

/** `old=new`, which most of these options are made of. */
function parsePair(text: string): [from: string, to: string] {
  const [from = '', to = '', ...more] = text.split('=');
  if (from === '' || to === '' || more.length > 0)
    throw new InvalidArgumentError(`"${text}" is not of the form old=new.`);
  return [from, to];
}

function parseMacAddress(text: string): string {
  const mac = text.toLowerCase().replaceAll('-', ':');
  if (!/^[\da-f]{2}(:[\da-f]{2}){5}$/.test(mac))
    throw new InvalidArgumentError(`"${text}" is no MAC address such as 02:00:00:00:00:01.`);
  return mac;
}

function parseMacMap(text: string, before: EditPlan['macMap'] | undefined): EditPlan['macMap'] {
  const [from, to] = parsePair(text);
  return [...(before ?? []), { from: parseMacAddress(from), to: parseMacAddress(to) }];
}

function parseBounded(text: string, most: number, what: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > most)
    throw new InvalidArgumentError(`"${text}" is no ${what} from 0 to ${String(most)}.`);
  return Number(text);
}

function parseVlanMap(text: string, before: EditPlan['vlanMap'] | undefined): EditPlan['vlanMap'] {
  const [from, to] = parsePair(text).map((id) => parseBounded(id, 4095, 'VLAN id'));
  return [...(before ?? []), { from: from ?? 0, to: to ?? 0 }];
}

function parseVlanTag(text: string): NonNullable<EditPlan['vlanAdd']> {
  const [, id, priority = '0', type = '8021q'] = /^(\d+)(?::(\d+))?(?:@(8021q|8021ad))?$/.exec(text) ?? [];
  if (id === undefined)
    throw new InvalidArgumentError(`"${text}" is no VLAN tag such as 100, 100:5 or 100:5@8021ad.`);
  return {
    id: parseBounded(id, 4095, 'VLAN id'),
    priority: parseBounded(priority, 7, 'priority'),
    type: type === '8021ad' ? '802.1ad' : '802.1Q',
  };
}

function parseIpMap(text: string, before: EditPlan['ipMap'] | undefined): EditPlan['ipMap'] {
  const [from, to] = parsePair(text);
  const reason = mismatch(from, to);
  if (reason !== null)
    throw new InvalidArgumentError(
      `"${text}" cannot be mapped: ${reason}; write 10.0.0.0/8=172.0.0.0/8 or fd00::/8=2001::/8.`,
    );
  return [...(before ?? []), { from, to }];
}

function parsePortMap(text: string, before: EditPlan['portMap'] | undefined): EditPlan['portMap'] {
  const [from, to] = parsePair(text);
  const [first = '', last = first, ...more] = from.split('-');
  const rule = {
    from: parseBounded(first, 65_535, 'port'),
    through: parseBounded(last, 65_535, 'port'),
    to: parseBounded(to, 65_535, 'port'),
  };
  if (more.length > 0 || rule.through < rule.from)
    throw new InvalidArgumentError(`"${from}" is no range of ports such as 8000-8999.`);
  return [...(before ?? []), rule];
}

function parseTtl(text: string): NonNullable<EditPlan['ttl']> {
  const value = Number(text);
  if (!/^[+-]?\d{1,3}$/.test(text) || Math.abs(value) > 255 || (/^\d/.test(text) && value === 0))
    throw new InvalidArgumentError(`"${text}" is no TTL from 1 to 255, and no change such as +1 or -3.`);
  return /^\d/.test(text) ? { kind: 'set', value } : { kind: 'add', value };
}
