// Patterns for paths, in the syntax of RE2, which is that of Go. One is matched in time that grows with the path only: it may
// come from elsewhere, and must not hold up a service.
import { RE2JS } from 're2js';

export interface PathPattern {
  readonly source: string;
  /** True where it matches anywhere in the path. */
  test(path: string): boolean;
}

/** @throws Error with the reason, where it is none */
export function pathPattern(source: string): PathPattern {
  const compiled = RE2JS.compile(source);
  return { source, test: (path) => compiled.test(path) };
}
