// Parsers of the values that a person types. Each refuses in the name of the setting.
import { resolve } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { SensorPattern } from '@capfleet/shared/dataset/assignment';
import { pathPattern, type PathPattern } from '@capfleet/shared/source/path-pattern';
import { SLOWEST_RATE, SMALLEST_MTU } from '@capfleet/shared/dataset/replay-plan';
import type { RootMove } from '@capfleet/shared/dataset/roots';
import { ETHERNET_HEADER } from '@capfleet/shared/edit/headers';
import { Failure } from '@capfleet/shared/errors/failure';
import { isRedisUrl, redactUrl } from '@capfleet/shared/redis/connect';
import { logLevels } from '@capfleet/shared/log/logger';
import type { ListenAddress } from '@capfleet/shared/service/listen';
import { defaultS3Options, type S3Options } from '@capfleet/shared/source/s3/s3-options';
import {
  isCalendarInstant,
  parseDuration,
  parseInstant,
  SECOND,
  type Nanos,
} from '@capfleet/shared/time/nanos';
import { parseRational, type Rational } from '@capfleet/shared/time/rational';
import { SLOWEST } from '@capfleet/shared/time/timeline';

export function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError(`"${text}" is no whole number from 0 on.`);
  return Number(text);
}

export function parsePositive(text: string): number {
  const count = parseCount(text);
  if (count === 0) throw new InvalidArgumentError('it must be at least 1.');
  return count;
}

export function parseMtu(text: string): number {
  const mtu = parseCount(text);
  if (mtu < SMALLEST_MTU) throw new InvalidArgumentError(`it must be at least ${String(SMALLEST_MTU)}.`);
  return mtu;
}

/** Of a whole Ethernet frame, without its checksum. */
export function parseFrameBytes(text: string): number {
  const bytes = parseCount(text);
  const least = SMALLEST_MTU + ETHERNET_HEADER;
  if (bytes < least) throw new InvalidArgumentError(`it must be at least ${String(least)}.`);
  return bytes;
}

/** An empty one is a variable that is not set, as a rule, and would stand for the current folder. */
export function parsePath(text: string): string {
  if (text === '') throw new InvalidArgumentError('It is empty.');
  return text;
}

/** As typed; see `parseLink` of the replayer. */
export function parseInterface(text: string): string {
  if (/^(|(file|af_packet|af_xdp|pcap):)$/.test(text))
    throw new InvalidArgumentError(`"${text}" names no interface and no file.`);
  return text;
}

export function parsePattern(text: string): PathPattern {
  try {
    return pathPattern(text);
  } catch (error) {
    throw new InvalidArgumentError(
      error instanceof Error ? `${error.message}.` : 'it is no regular expression.',
    );
  }
}

export function parseSpeed(text: string): Rational {
  const speed = parseRational(text);
  if (!speed) {
    throw new InvalidArgumentError(
      `"${text}" is no positive ratio such as 2, 0.37 or 1/3 (parts up to ${String(2 ** 26 - 1)}).`,
    );
  }
  if (speed.numerator / speed.denominator < SLOWEST) throw new InvalidArgumentError(`${text} is too slow.`);
  return speed;
}

export function parseRate(text: string): Rational {
  const rate = parseRational(text);
  if (!rate) throw new InvalidArgumentError(`"${text}" is no positive rate such as 25, 0.5 or 1e5.`);
  if (rate.numerator / rate.denominator < SLOWEST_RATE)
    throw new InvalidArgumentError(`${text} is too slow.`);
  return rate;
}

/** RFC 3339, also with a space for the T; without a zone UTC, a date alone its midnight. */
export function parseTime(text: string): Nanos {
  const [, date = '', time = 'T00:00:00', zone = 'Z'] =
    /^(\d{4}-\d\d-\d\d)([Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?)?(Z|z|[+-]\d\d:\d\d)?$/.exec(text) ?? [];
  const instant = parseInstant(`${date}${time.replace(/^[t ]/, 'T')}${zone.toUpperCase()}`);
  // A zone may lead out of the years that can be written.
  if (instant === null || !isCalendarInstant(instant))
    throw new InvalidArgumentError(`"${text}" is no time such as 2026-11-24T09:00:00.5+01:00.`);
  return instant;
}

/** A hundred years: an instant so far from now still fits into 64 bits of nanoseconds. */
const LONGEST_SPAN = 36_500n * 86_400n * SECOND;

export function parseSpan(text: string): Nanos {
  const span = parseDuration(text);
  if (span === null) throw new InvalidArgumentError(`"${text}" is no duration such as 250ms, 30s or 1h30m.`);
  if (span > LONGEST_SPAN) throw new InvalidArgumentError(`"${text}" is too long; at most 36500d.`);
  return span;
}

export function parsePositiveSpan(text: string): Nanos {
  const span = parseSpan(text);
  if (span === 0n) throw new InvalidArgumentError('it must be longer than 0.');
  return span;
}

/** A count of loops; 0 and less mean without end, as in GopherCap, and become 0. */
export function parseLoops(text: string): number {
  return /^-\d+$/.test(text) ? 0 : parseCount(text);
}

/** `sensor=regexp`, once per occurrence of the option. */
export function parseAssignments(
  text: string,
  before: readonly SensorPattern[] | undefined,
): SensorPattern[] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError(`"${text}" is not of the form sensor=regexp.`);
  const sensor = parseSensorName(text.slice(0, equals));
  return [...(before ?? []), { sensor, pattern: parsePattern(text.slice(equals + 1)) }];
}

/** `old=new`, once per occurrence of the option. */
export function parseRoots(text: string, before: readonly RootMove[] | undefined): RootMove[] {
  const equals = text.indexOf('=');
  const [from, to] = [text.slice(0, equals), text.slice(equals + 1)];
  if (equals < 1 || to === '') throw new InvalidArgumentError(`"${text}" is not of the form old=new.`);
  return [...(before ?? []), { from, to }];
}

export function parseRedis(text: string): string {
  if (!isRedisUrl(text)) {
    throw new InvalidArgumentError(
      `"${redactUrl(text)}" is no Redis URL such as redis://host:6379 or unix:/run/redis.sock.`,
    );
  }
  return text;
}

/** `HOST:PORT`, the host of IPv6 in brackets. */
export function parseListen(text: string): ListenAddress {
  const [, six, other, port] = /^(?:\[([\da-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(text) ?? [];
  const host = six ?? other;
  if (host === undefined || Number(port) > 65_535)
    throw new InvalidArgumentError(`"${text}" is no address such as 127.0.0.1:8470 or [::1]:8470.`);
  return { host, port: Number(port) };
}

/** @returns the URL without a slash at its end */
function parseCoordinator(text: string): string {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '')
    throw new InvalidArgumentError(`"${redactUrl(text)}" is no URL such as http://127.0.0.1:8470.`);
  return url.href.replace(/\/+$/, '');
}

export function parseSensorName(text: string): string {
  if (!/^[\w.-]{1,64}$/.test(text)) {
    throw new InvalidArgumentError(
      `"${text}" is no sensor name (letters, digits, ".", "_", "-"; at most 64).`,
    );
  }
  return text;
}

export function parseSensorNames(text: string): string[] {
  const names = text.split(',').map((name) => parseSensorName(name.trim()));
  if (new Set(names).size !== names.length) throw new InvalidArgumentError('a sensor is named twice.');
  return names;
}

export const jsonOption = (): Option =>
  new Option('--json', 'print the result as JSON on stdout').default(false);

/** @param what they are for */
export const rootOption = (what: string): Option => new Option('--root <dir...>', what).default(['/']);

export const logLevelOption = (level: (typeof logLevels)[number]): Option =>
  new Option('--log-level <level>', 'log lines on stderr').choices([...logLevels]).default(level);

/** Of a worker, which needs no port for its work. */
export const metricsListenOption = (): Option =>
  new Option(
    '--metrics-listen <address>',
    'where /metrics, /livez and /readyz are served, as 0.0.0.0:9470; nowhere unless given',
  ).argParser(parseListen);

export const redisOption = (): Option =>
  new Option(
    '--redis <url>',
    'Redis of the cluster (redis://…, rediss://…, redis+sentinel://HOSTS/NAME, redis+cluster://HOSTS, unix:/path)',
  ).argParser(parseRedis);

export const coordinatorOption = (): Option =>
  new Option('--coordinator <url>', 'a `capfleet coordinator` that does it, as http://127.0.0.1:8470')
    .argParser(parseCoordinator)
    .conflicts('redis');

export const tokenFileOption = (): Option =>
  new Option('--token-file <file>', "file with the coordinator's token; default: CAPFLEET_TOKEN").argParser(
    parsePath,
  );

/** The options of a command that asks about runs. */
export interface OwnerOptions {
  readonly redis?: string;
  readonly coordinator?: string;
  readonly tokenFile?: string;
}

export function addOwnerOptions(command: Command): Command {
  return command.addOption(redisOption()).addOption(coordinatorOption()).addOption(tokenFileOption());
}

/**
 * Who is asked about runs: a Redis, or a coordinator.
 * @throws Failure `setting-missing`
 */
export function checkOwner(
  { redis, coordinator }: OwnerOptions,
  command: string,
): { readonly redis: string; readonly flag: string } | { readonly url: string; readonly flag: string } {
  if (coordinator !== undefined) return { url: coordinator, flag: '--coordinator' };
  if (redis !== undefined) return { redis, flag: '--redis' };
  const why = 'to know where the runs are';
  throw new Failure('setting-missing', { setting: '--redis or --coordinator', why, command });
}

/** Where a command can come to speak TLS. */
const SPEAK_TLS = ['--redis', '--coordinator', '--s3-endpoint'];

/** @param trust is given the PEM files that were asked for, before the command does anything */
export function addTrust(command: Command, trust: (paths: readonly string[]) => void): Command {
  if (!command.options.some(({ long }) => SPEAK_TLS.includes(long ?? ''))) return command;
  return command
    .addOption(
      new Option(
        '--ca-file <files>',
        'authorities that TLS accepts beside the usual ones: PEM files, with commas between them',
      ).argParser((text) => text.split(',').map((path) => resolve(parsePath(path)))),
    )
    .hook('preAction', (_, acting) => {
      const { caFile } = acting.opts<{ caFile?: readonly string[] }>();
      if (caFile) trust(caFile);
    });
}

/** The S3 options of a command as commander gives them. */
export interface S3CommandOptions {
  readonly s3Endpoint?: string;
  readonly s3Region?: string;
  readonly s3Profile?: string;
  readonly s3PathStyle: boolean;
  readonly s3PartSize: number;
  readonly s3Parallel: number;
}

/** How S3 is reached; for every command that reads captures, or starts one that does. */
export function addS3Options(command: Command): Command {
  const { partSize, parallel } = defaultS3Options;
  return command
    .addOption(new Option('--s3-endpoint <url>', 'S3 server other than AWS').argParser(parseEndpoint))
    .option('--s3-region <region>', 'default: as configured for the AWS tools, else us-east-1')
    .option('--s3-profile <name>', 'profile of the AWS configuration and credentials files')
    .option('--s3-path-style', 'bucket in the path of the URL, not in the host name', false)
    .addOption(
      new Option('--s3-part-size <size>', 'bytes of one GET; part size × parallel is held per open file')
        .argParser(parseSize)
        .default(partSize, formatMebibytes(partSize)),
    )
    .addOption(
      new Option('--s3-parallel <n>', 'GETs side by side for one file')
        .argParser(parsePositive)
        .default(parallel),
    );
}

export function s3Options(options: S3CommandOptions): S3Options {
  return {
    ...defaultS3Options,
    endpoint: options.s3Endpoint ?? null,
    region: options.s3Region ?? null,
    profile: options.s3Profile ?? null,
    pathStyle: options.s3PathStyle,
    partSize: options.s3PartSize,
    parallel: options.s3Parallel,
  };
}

/** The same options as they would be typed, for a process started in turn. */
export function s3Args({ endpoint, region, profile, pathStyle, partSize, parallel }: S3Options): string[] {
  const given = (name: string, value: string | null): string[] => (value === null ? [] : [name, value]);
  return [
    ...given('--s3-endpoint', endpoint),
    ...given('--s3-region', region),
    ...given('--s3-profile', profile),
    ...(pathStyle ? ['--s3-path-style'] : []),
    ...['--s3-part-size', String(partSize), '--s3-parallel', String(parallel)],
  ];
}

/** Bytes, with or without a binary unit. */
export function parseSize(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,9})(?:(K|M|G|T)i?B?|B)?$/i.exec(text) ?? [];
  const size = Number(digits) * 1024 ** ['', 'K', 'M', 'G', 'T'].indexOf(unit.toUpperCase());
  if (digits === undefined || size === 0 || !Number.isSafeInteger(size)) {
    throw new InvalidArgumentError(`"${text}" is no size such as 65536, 512KiB, 8MiB or 1GiB.`);
  }
  return size;
}

function formatMebibytes(bytes: number): string {
  return `${String(bytes / 1024 ** 2)}MiB`;
}

function parseEndpoint(text: string): string {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError(
      `"${redactUrl(text)}" is no URL such as https://s3.example.org or http://minio:9000.`,
    );
  }
  return text;
}
