// Manifests against the types of Kubernetes' own API and of the custom resources: each becomes a typed literal, so that the
// compiler finds unknown fields, wrong types, values that are none of an enumeration, and what is missing.
import { join } from 'node:path';
import ts from 'typescript';
import { ROOT, type Manifest } from './helm.ts';

const BUILT_IN = 'kubernetes-models';
const CUSTOM: Readonly<Record<string, string>> = {
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};

/** @returns one line for each finding */
export function strictFindings(manifests: readonly Manifest[]): string[] {
  const files = new Map(
    manifests.map((manifest, index) => [
      join(ROOT, 'test', `manifest-${String(index)}.ts`),
      { name: `${manifest.kind} ${String(manifest['metadata']?.name)}`, text: asSource(manifest) },
    ]),
  );
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
  };
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists, getSourceFile } = host;
  host.readFile = (path) => files.get(path)?.text ?? readFile(path);
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.getSourceFile = (path, ...rest) => {
    const text = files.get(path)?.text;
    return text === undefined ? getSourceFile(path, ...rest) : ts.createSourceFile(path, text, rest[0]);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files].flatMap(([path, { name }]) => {
    const source = program.getSourceFile(path);
    if (!source) throw new Error(`${path} was not compiled`);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText, start = 0 }) => {
        const line = source.text.slice(0, start).split('\n').length - 1;
        const where = source.text.split('\n')[line]?.trim() ?? '';
        return `${name}: at ${where} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
      },
    );
  });
}

function asSource(manifest: Manifest): string {
  const { apiVersion, kind } = manifest;
  const [group = ''] = apiVersion.includes('/') ? apiVersion.split('/') : [];
  const from = `${CUSTOM[group] ?? BUILT_IN}/${apiVersion}/${kind}`;
  return `import type { I${kind} } from '${from}';\nexport const manifest: I${kind} = ${JSON.stringify(manifest, null, 2)};\n`;
}
