// The port to the network interfaces of this host, in the network namespace of this process.

export interface InterfaceState {
  readonly mtu: number;
  /** Administratively up. */
  readonly up: boolean;
  /** Carries Ethernet frames. */
  readonly ethernet: boolean;
  readonly defaultRoute: boolean;
}

export interface Interfaces {
  /** Null where there is no such interface. */
  state(name: string): Promise<InterfaceState | null>;
  /** Names of all interfaces. */
  names(): Promise<string[]>;
}
