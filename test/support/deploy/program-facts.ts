// What the program and its images really have, for deployments to be held against.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { optionTable } from '@capfleet/cli/option-table';
import { everyCommand } from '@capfleet/cli/program';
import { ROOT } from './helm.ts';

export interface ServiceFacts {
  /** Variables that the command takes. */
  readonly variables: ReadonlySet<string>;
  /** What they are where nobody says it. */
  readonly standards: ReadonlyMap<string, string | null>;
  /** Where its image listens, by variable. */
  readonly listens: ReadonlyMap<string, string>;
  readonly exposed: readonly number[];
  readonly user: number;
}

/** Of a coordinator only, and no option of it (see token.ts). */
const TOKEN = 'CAPFLEET_TOKEN';

export async function serviceFacts(): Promise<ReadonlyMap<string, ServiceFacts>> {
  const dockerfile = readFileSync(join(ROOT, 'deploy/images/Dockerfile'), 'utf8');
  const table = optionTable(await everyCommand());
  return new Map(
    ['coordinator', 'mapper', 'replayer'].map((service) => {
      const stage = stageOf(service, dockerfile);
      const options = table.find(({ name }) => name === service)?.options ?? [];
      const listens = [...stage.matchAll(/^ENV (CAPFLEET_\w+)=(\S+)$/gm)].map(
        ([, name = '', value = '']) => [name, value] as const,
      );
      return [
        service,
        {
          variables: new Set([
            ...options.map(({ variable }) => variable),
            ...(service === 'coordinator' ? [TOKEN] : []),
          ]),
          standards: new Map(options.map(({ variable, standard }) => [variable, standard])),
          listens: new Map(listens),
          exposed: [...stage.matchAll(/^EXPOSE (\d+)$/gm)].map(([, port]) => Number(port)),
          user: userOf(service, dockerfile),
        },
      ];
    }),
  );
}

function stageOf(name: string, dockerfile: string): string {
  return dockerfile.split(/^FROM /m).find((text) => text.split('\n')[0]?.endsWith(` AS ${name}`)) ?? '';
}

/** The last one that its stage names, or that on which it builds. */
function userOf(name: string, dockerfile: string): number {
  const stage = stageOf(name, dockerfile);
  if (stage === '') throw new Error(`no stage ${name} in the Dockerfile`);
  const [, user] = [...stage.matchAll(/^USER (\d+):\d+$/gm)].at(-1) ?? [];
  return user === undefined ? userOf(stage.split(' ')[0] ?? '', dockerfile) : Number(user);
}

/** What the node of the replayer's image may have, as Kubernetes writes it. */
export function fileCapabilities(): ReadonlySet<string> {
  const dockerfile = readFileSync(join(ROOT, 'deploy/images/Dockerfile'), 'utf8');
  const [, names = ''] = /setcap ([\w,]+)\+p /.exec(dockerfile) ?? [];
  return new Set(names.split(',').map((name) => name.replace(/^cap_/, '').toUpperCase()));
}

/** Everything that is compiled into the services, as one text. */
export function sources(): string {
  return globSync(['services/*/src/**/*.ts', 'shared/src/**/*.ts'], { cwd: ROOT })
    .map((file) => readFileSync(join(ROOT, file), 'utf8'))
    .join('\n');
}

/** A constant of the sources in milliseconds, as `const NAME = 20_000;`. */
export function constantMs(name: string, file: string): number {
  const [, digits] =
    new RegExp(`const ${name} = ([\\d_]+);`).exec(readFileSync(join(ROOT, file), 'utf8')) ?? [];
  if (digits === undefined) throw new Error(`${file} has no ${name}`);
  return Number(digits.replaceAll('_', ''));
}
