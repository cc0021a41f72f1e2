// Writes deploy/kubernetes anew from deploy/chart; test/deploy/kubernetes.test.ts holds the two to each other.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { kubernetesFiles } from '../test/support/deploy/kubernetes-files.ts';

const FOLDER = resolve(import.meta.dirname, '../deploy/kubernetes');

for (const [path, text] of kubernetesFiles()) {
  const file = join(FOLDER, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
