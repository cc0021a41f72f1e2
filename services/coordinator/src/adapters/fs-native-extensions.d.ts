declare module 'fs-native-extensions' {
  /** An exclusive lock of an open file description over the whole file. @returns false where another holds it */
  export function tryLock(fd: number): boolean;
}
