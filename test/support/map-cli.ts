/**
 * `capfleet map` as the tests of the command line use it: a folder of its own per test, one mapper, and the dump
 * read back.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runCapfleet, type Ended, type RunOptions } from './capfleet.ts';
import { writeNumberedSet, type SetShape } from './numbered-set.ts';
import { tempDir, type AfterHook } from './temp-dir.ts';

/** A mapping that a map may replace. */
export const OLD_DUMP = '{"files": []}';

export interface MapPlace {
  readonly dir: string;
  /** The folder to map. */
  readonly captures: string;
  /** Where the dump goes; not there yet. */
  readonly dump: string;
}

/** A place with captures of numbered packets, and files with the given content. */
export async function makeMapPlace(
  t: AfterHook,
  shape: SetShape = {},
  files: Readonly<Record<string, Uint8Array | string>> = {},
): Promise<MapPlace> {
  const dir = await tempDir(t);
  const place = { dir, captures: join(dir, 'in'), dump: join(dir, 'map.json') };
  await mkdir(place.captures);
  await writeNumberedSet(place.captures, shape);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(place.captures, name)), { recursive: true });
    await writeFile(join(place.captures, name), content);
  }
  return place;
}

/** Maps the place with one mapper. Options in `args` come last and win. */
export async function runMap(
  { captures, dump }: MapPlace,
  args: readonly string[] = [],
  options?: RunOptions,
): Promise<Ended> {
  const standard = ['--dir-src', captures, '--dump-json', dump, '--file-workers', '1'];
  return runCapfleet(['map', ...standard, ...args], options);
}

/** What the tests look at in a dump; everything else is the business of the dump's own tests. */
export interface DumpView {
  beginning?: string;
  end?: string;
  files: { path: string; packets: number; lane: number; capfleet: FileView }[];
  capfleet: {
    lanes: number;
    packets: number;
    empty: FileView[];
    failed: (FileView & { error: { code: string; message: string } })[];
  };
}

interface FileView {
  path: string;
  name: string;
  status: string;
  packets?: number;
  capturedBytes?: number;
  wireBytes?: number;
  first?: string;
  last?: string;
  warnings?: { kind: string; message: string; offset: number }[];
}

export async function readDumpFile(path: string): Promise<DumpView> {
  return JSON.parse(await readFile(path, 'utf8')) as DumpView;
}
