// What a sensor sends into.

export type LinkChoice =
  /** A network interface, through a raw socket. */
  | { readonly kind: 'af_packet'; readonly interface: string }
  /** Nothing: frames are paced and counted only. Needs no privilege. */
  | { readonly kind: 'null' }
  /** A nanosecond pcap, each frame stamped with the instant of its hand-over. Needs no privilege. */
  | { readonly kind: 'file'; readonly path: string };

/** The name that people know the link by. */
export function linkName(link: LinkChoice): string {
  switch (link.kind) {
    case 'af_packet':
      return link.interface;
    case 'null':
      return 'null';
    case 'file':
      return `file:${link.path}`;
  }
}

/** Reads `eth1`, `null` or `file:PATH` as a person types it for an interface. */
export function parseLink(text: string): LinkChoice {
  if (text === 'null') return { kind: 'null' };
  if (text.startsWith('file:')) return { kind: 'file', path: text.slice('file:'.length) };
  return { kind: 'af_packet', interface: text };
}
