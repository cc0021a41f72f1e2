// What a sensor sends into.

export type LinkChoice =
  /** A network interface, through a raw socket. */
  | { readonly kind: 'af_packet'; readonly interface: string }
  /** The same through a transmit ring that is shared with the kernel: the fastest. */
  | { readonly kind: 'af_xdp'; readonly interface: string }
  /** The same through libpcap, by the npm package `pcap`: the most portable. */
  | { readonly kind: 'pcap'; readonly interface: string }
  /** Nothing: frames are paced and counted only. Needs no privilege. */
  | { readonly kind: 'null' }
  /** A nanosecond pcap, each frame stamped with the instant of its hand-over. Needs no privilege. */
  | { readonly kind: 'file'; readonly path: string };

/** The network interface that the link sends into; null where it needs none. */
export function interfaceOf(link: LinkChoice): string | null {
  return 'interface' in link ? link.interface : null;
}

/** The name that people know the link by. */
export function linkName(link: LinkChoice): string {
  switch (link.kind) {
    case 'af_packet':
    case 'af_xdp':
    case 'pcap':
      return link.interface;
    case 'null':
      return 'null';
    case 'file':
      return `file:${link.path}`;
  }
}

/** Reads `eth1`, `af_xdp:eth1`, `pcap:eth1`, `null` or `file:PATH` as a person types it for an interface. */
export function parseLink(text: string): LinkChoice {
  if (text === 'null') return { kind: 'null' };
  if (text.startsWith('file:')) return { kind: 'file', path: text.slice('file:'.length) };
  for (const kind of ['af_packet', 'af_xdp', 'pcap'] as const) {
    if (text.startsWith(`${kind}:`)) return { kind, interface: text.slice(kind.length + 1) };
  }
  return { kind: 'af_packet', interface: text };
}

/** Bytes of a chunk of the af_xdp link, less a header with a VLAN tag. */
const AF_XDP_MTU = 4096 - 18;

/** What the link takes of an interface's MTU. */
export function linkMtu(link: LinkChoice, mtu: number): number {
  return link.kind === 'af_xdp' ? Math.min(mtu, AF_XDP_MTU) : mtu;
}
