// What a benchmark says: a line per figure with its bound, a file with every raw run, and an exit code.
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Measured } from './in-turn.ts';

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly bound?: { readonly least?: number; readonly most?: number };
}

export class Verdicts {
  readonly #name: string;
  readonly #figures: Figure[] = [];
  readonly #raw: Record<string, unknown> = {};

  constructor(name: string) {
    this.#name = name;
    console.log(`${name}: ${this.machine()}`);
  }

  /** Its size; what else it is does not matter. */
  machine(): string {
    const gib = Math.round(totalmem() / 2 ** 30);
    return `${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), ${gib} GiB, Node ${process.versions.node}`;
  }

  section(title: string): void {
    console.log(`\n${title}`);
  }

  raw(key: string, value: unknown): void {
    this.#raw[key] = value;
  }

  measured(key: string, runs: readonly Measured[], bytes?: number): void {
    this.#raw[key] = runs;
    for (const { name, median, seconds } of runs) {
      const rate = bytes === undefined ? '' : `  ${(bytes / median / 2 ** 20).toFixed(0)} MiB/s`;
      const range = `${Math.min(...seconds).toFixed(3)} … ${Math.max(...seconds).toFixed(3)}`;
      console.log(`  ${name.padEnd(34)} ${median.toFixed(3)} s  (${range})${rate}`);
    }
  }

  figure(figure: Figure): void {
    this.#figures.push(figure);
    const { name, value, unit, bound } = figure;
    const asked = bound ? `  ${holds(figure) ? 'ok  ' : 'MISS'} ${boundText(bound)}` : '';
    console.log(`  → ${name.padEnd(52)} ${round(value)} ${unit}${asked}`);
  }

  /** Writes the raw runs; the exit code says whether every bound holds. */
  finish(folder: string): void {
    mkdirSync(folder, { recursive: true });
    const stamp = new Date().toISOString().slice(0, 19).replaceAll(':', '');
    const path = join(folder, `${this.#name}-${stamp}.json`);
    const document = { machine: this.machine(), figures: this.#figures, raw: this.#raw };
    writeFileSync(path, `${JSON.stringify(document, null, 1)}\n`);
    const missed = this.#figures.filter((figure) => !holds(figure));
    console.log(
      `\nraw runs: ${path}\n${missed.length === 0 ? 'every bound holds' : `${missed.length} missed`}`,
    );
    process.exitCode = missed.length === 0 ? 0 : 1;
  }
}

function holds({ value, bound }: Figure): boolean {
  return (
    value >= (bound?.least ?? Number.NEGATIVE_INFINITY) && value <= (bound?.most ?? Number.POSITIVE_INFINITY)
  );
}

function boundText({ least, most }: NonNullable<Figure['bound']>): string {
  return least === undefined ? `at most ${most}` : `at least ${least}`;
}

function round(value: number): string {
  return Number(value.toPrecision(3)).toString();
}
