// The port to whether the service can do anything.

export interface Health {
  /**
   * @returns how long the answer took, ms
   * @throws Failure `redis-unreachable`, soon
   */
  check(): Promise<number>;
}
