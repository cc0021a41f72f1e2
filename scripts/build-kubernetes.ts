// Writes the chart's users of Redis anew from deploy/redis, and deploy/kubernetes from deploy/chart; test/deploy/kubernetes.test.ts
// holds them to each other.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { kubernetesFiles, usersOfChart } from '../test/support/deploy/kubernetes-files.ts';

const FOLDER = resolve(import.meta.dirname, '../deploy/kubernetes');

writeFileSync(resolve(FOLDER, '../chart/files/users.acl'), usersOfChart());

for (const [path, text] of kubernetesFiles()) {
  const file = join(FOLDER, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
