// The far ends of a replay: captured on this host while it plays, then each held against its sensor's plan.
import { isEndless } from '@capfleet/shared/dataset/replay-plan';
import { interfaceOf, parseLink } from '@capfleet/replayer/link';
import { Option, type Command } from 'commander';
import { captureFarEnd } from '@capfleet/replayer/adapters/far-end-capture';
import type { FarEndCapture } from '@capfleet/replayer/ports/far-end';
import type { FarEndReport, Finding, RunReport } from '@capfleet/shared/contract/report';
import type { SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { asFailure, Failure } from '@capfleet/shared/errors/failure';
import type { Source } from '@capfleet/shared/source/source';
import { parseInstant } from '@capfleet/shared/time/nanos';
import type { Series } from '@capfleet/shared/verify/series';
import { defaultLimits, judge } from '@capfleet/shared/verify/thresholds';
import { checkFiles } from './feed-plan.ts';
import { parsePath } from './settings.ts';
import { verifyReplay } from './verify-replay.ts';

export interface FarEndOptions {
  readonly verifyInterface?: readonly string[];
  readonly verifyPlots?: string;
}

export function addFarEndOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--verify-interface <if>',
        'capture the far end on this interface, and hold it against the plan; once per sensor, in their order',
      ).argParser((text: string, before: readonly string[] | undefined) => [
        ...(before ?? []),
        parsePath(text),
      ]),
    )
    .addOption(new Option('--verify-plots <dir>', 'draw what --verify-interface found').argParser(parsePath));
}

/** @throws Failure `setting-invalid` */
export function checkFarEnds(
  { verifyInterface, verifyPlots }: FarEndOptions,
  plans: readonly SensorPlan[],
  outInterface: string | undefined,
): void {
  const refuse = (setting: string, reason: string): never => {
    throw new Failure('setting-invalid', { setting, reason, command: 'replay' });
  };
  if (!verifyInterface) {
    if (verifyPlots !== undefined) refuse('--verify-plots', 'only with --verify-interface');
    return;
  }
  const setting = '--verify-interface';
  if (verifyInterface.length !== plans.length) {
    const given = `${String(verifyInterface.length)} given for ${String(plans.length)}`;
    refuse(setting, `one far end for each sensor, in their order; ${given}`);
  }
  if (new Set(verifyInterface).size !== verifyInterface.length)
    refuse(setting, 'an interface is named twice');
  if (outInterface !== undefined) {
    const name = interfaceOf(parseLink(outInterface));
    if (name === null) refuse(setting, `nothing leaves this host through ${outInterface}`);
    else if (name !== 'lo' && verifyInterface.includes(name))
      refuse(setting, `what leaves through ${name} arrives at its far end, not there`);
  }
  const [plan] = plans;
  if (outInterface === undefined && plan && plan.policies.oversize !== 'fail') {
    refuse(setting, 'what a sensor leaves out or cuts off for its size is known on its own host only');
  }
  if (plan && isEndless(plan.timeline)) refuse(setting, 'not with a replay without end');
}

/**
 * The plan of a sensor on another host is made anew here, out of the captures.
 * @throws Failure `setting-invalid`; the signal's reason
 */
export async function checkFilesHere(
  plans: readonly SensorPlan[],
  source: Source,
  signal: AbortSignal,
): Promise<void> {
  for (const plan of plans) {
    try {
      await checkFiles(plan, { kind: 'null' }, source, signal);
    } catch (thrown) {
      if (!(thrown instanceof Failure)) throw thrown;
      const reason = `this host reads the captures, too, where they were mapped: ${thrown.message}`;
      const fields = { setting: '--verify-interface', reason, command: 'replay' };
      throw new Failure('setting-invalid', fields, { cause: thrown });
    }
  }
}

/** Listens on every interface, or on none. @throws Failure `far-end-…` */
export async function captureFarEnds(interfaces: readonly string[]): Promise<FarEndCapture[]> {
  const tried = await Promise.allSettled(interfaces.map(captureFarEnd));
  const captures = tried.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const failed = tried.find((each) => each.status === 'rejected');
  if (!failed) return captures;
  await closeFarEnds(captures);
  throw failed.reason;
}

export async function closeFarEnds(captures: readonly FarEndCapture[]): Promise<void> {
  await Promise.all(captures.map((capture) => capture.close()));
}

export interface FarEndRequest {
  /** As this host finds the files. */
  readonly plans: readonly SensorPlan[];
  /** In the order of the plans. */
  readonly captures: readonly FarEndCapture[];
  readonly source: Source;
  /** Of the interface that sent; null: any frame went. */
  readonly mtu: number | null;
  /** Whether the run's reference clock is the clock of this host. */
  readonly oneClock: boolean;
  readonly signal: AbortSignal;
}

export interface VerifiedRun {
  readonly report: RunReport;
  /** By sensor, for plots. */
  readonly series: ReadonlyMap<string, Series | null>;
}

/**
 * The report with its far ends, which are part of the verdict. Where they cannot be compared, that is a finding; after
 * an interruption the report is as it was.
 */
export async function compareFarEnds(report: RunReport, request: FarEndRequest): Promise<VerifiedRun> {
  try {
    return await verifyFarEnds(report, request);
  } catch (thrown) {
    // The replay itself is over, and its report is not to be lost.
    return { report: request.signal.aborted ? report : notCompared(report, thrown), series: new Map() };
  }
}

function notCompared(report: RunReport, thrown: unknown): RunReport {
  const finding = { check: 'far end', sensor: null, holds: false, text: asFailure(thrown).message };
  return { ...report, verdict: { holds: false, findings: [...report.verdict.findings, finding] } };
}

async function verifyFarEnds(report: RunReport, request: FarEndRequest): Promise<VerifiedRun> {
  request.signal.throwIfAborted();
  const farEnds: FarEndReport[] = [];
  const findings: Finding[] = [...report.verdict.findings];
  const series = new Map<string, Series | null>();
  // All end together, before the first is read.
  const captured = await Promise.all(request.captures.map((capture) => capture.stop()));
  for (const [index, plan] of request.plans.entries()) {
    const { sensor } = plan;
    const capture = captured[index];
    const sent = report.sensors.find((each) => each.sensor === sensor);
    const result = sent?.result ?? null;
    if (!capture || !result) continue;
    const startedAt = request.oneClock && report.start !== null ? parseInstant(report.start) : null;
    const found = await verifyReplay({
      plan,
      frames: result.outcome === 'done' ? null : result.paced,
      source: request.source,
      received: [capture.path],
      mtu: request.mtu,
      startedAt,
      signal: request.signal,
    });
    const { comparison, reasons, errors } = found;
    farEnds.push({
      sensor,
      interface: request.captures[index]?.interface ?? '',
      capture: {
        packets: capture.packets,
        dropped: capture.dropped,
        resolution: found.received.resolutions.join(', '),
      },
      comparison,
      paused: result.pauses.total,
      clockBound: startedAt === null ? null : (sent?.clockBound ?? null),
      reasons,
    });
    series.set(sensor, found.series);
    findings.push(
      {
        check: 'far end: captured',
        sensor,
        holds: capture.dropped === 0 && comparison.received === capture.packets,
        text: `${String(comparison.received)} of ${String(capture.packets)} captured packets kept, ${String(capture.dropped)} dropped for want of room`,
      },
      ...errors.map(({ path, message }) => ({
        check: 'far end: plan',
        sensor,
        holds: false,
        text: `${path}: ${message}`,
      })),
      ...judge(comparison, defaultLimits, sensor).map((finding) => ({
        ...finding,
        check: `far end: ${finding.check}`,
      })),
    );
  }
  const verdict = { holds: findings.every(({ holds }) => holds), findings };
  return { report: { ...report, farEnds, verdict }, series };
}
