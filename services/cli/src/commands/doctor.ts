// capfleet doctor: says what would go wrong on this host, and what to do about it, before something is tried.
import { Command, Option } from 'commander';
import { interfaceOf, parseLink } from '@capfleet/replayer/link';
import { loadNative } from '@capfleet/replayer/native/binding';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { asFailure } from '@capfleet/shared/errors/failure';
import { sources } from '@capfleet/shared/source/sources';
import { hostFacts, interfaceState } from '../doctor/host-facts.ts';
import { judgeHost, judgeInterface, judgeOffloads, type Finding } from '../doctor/judge-host.ts';
import { examineRedis } from '../doctor/judge-redis.ts';
import {
  addS3Options,
  jsonOption,
  parseInterface,
  parsePath,
  redisOption,
  s3Options,
  type S3CommandOptions,
} from '../settings.ts';
import { showFindings } from '../show/findings.ts';
import type { World } from '../world.ts';

interface DoctorOptions extends S3CommandOptions {
  readonly interface?: string;
  readonly redis?: string;
  readonly source?: string;
  readonly json: boolean;
}

const examples = `Examples:
  capfleet doctor --interface eth1 --redis redis://queue:6379
  capfleet doctor --source s3://captures/2026 --s3-endpoint https://s3.example.org
`;

export function doctorCommand(run: (action: (world: World) => Promise<ExitCode>) => Promise<void>): Command {
  const command = new Command('doctor')
    .description('say what would go wrong on this host, and what to do about it')
    .addOption(new Option('--interface <if>', 'what packets are to be sent into').argParser(parseInterface))
    .addOption(redisOption())
    .addOption(
      new Option('--source <path>', 'folder or s3://BUCKET/PREFIX that is to be read').argParser(parsePath),
    );
  return addS3Options(command)
    .addOption(jsonOption())
    .addHelpText('before', examples)
    .action((options: DoctorOptions) =>
      run(async (world) => {
        const findings = await examine(options);
        world.stdout.write(
          options.json ? `${JSON.stringify({ findings }, null, 2)}\n` : showFindings(findings),
        );
        return findings.some(({ verdict }) => verdict === 'error') ? exitCode.failed : exitCode.ok;
      }),
    );
}

async function examine(options: DoctorOptions): Promise<Finding[]> {
  const native = loadNative();
  const findings = judgeHost(await hostFacts(native));
  const name = options.interface === undefined ? null : interfaceOf(parseLink(options.interface));
  if (native && name !== null) {
    const state = await interfaceState(native, name);
    findings.push(judgeInterface(state), ...judgeOffloads(state));
  }
  if (options.redis !== undefined) findings.push(...(await examineRedis(options.redis)));
  if (options.source !== undefined) findings.push(await examineSource(options.source, options));
  return findings;
}

async function examineSource(path: string, options: DoctorOptions): Promise<Finding> {
  const check = `source ${path}`;
  try {
    const source = sources(s3Options(options));
    for await (const file of source.list(path, { suffix: '', pattern: null })) {
      const reader = await source.open(file, { length: 1 });
      await reader.read(Buffer.alloc(1), 0, 1).finally(() => reader.close());
      return { check, verdict: 'ok', found: `can be listed and read; first: ${file.path}`, remedy: null };
    }
    return { check, verdict: 'warning', found: 'has no file', remedy: 'check the path' };
  } catch (error) {
    const { message, hint } = asFailure(error);
    return { check, verdict: 'error', found: message, remedy: hint };
  }
}
