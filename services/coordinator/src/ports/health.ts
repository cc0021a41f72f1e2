// The port to whether the service can do anything.

export interface Health {
  /** @throws Failure `redis-unreachable`, soon */
  check(): Promise<void>;
}
