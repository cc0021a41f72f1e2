// `npm run demo`: the whole way once, on this machine, with nothing set up by hand. Real programs talk while their
// traffic is captured; the capture is spread over four capture threads; mappers find out which file belongs to
// which thread; two sensors replay their shares at one instant; what arrives at their far ends is held against the
// source. `npm run demo -- --captures DIR` does the same with captures of yours.
import { parseArgs } from 'node:util';
import {
  findNamespaceMode,
  inPrivateNamespaces,
  reexecInNamespaces,
} from '../test/support/enter-namespaces.ts';
import { runDemo, type DemoOptions } from './demo/run-demo.ts';

const help = `npm run demo -- [options]
  --captures DIR   replay this folder of pcap or pcap.gz files instead of traffic made on the spot
  --speed RATIO    1 is as recorded; default: 1, or for a set longer than 30 s the power of ten that fits it in
  --seconds N      length of the traffic that is made (default 10)
  --link null      replay into a counter instead of network interfaces (where namespaces are forbidden)
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      captures: { type: 'string' },
      speed: { type: 'string' },
      seconds: { type: 'string', default: '10' },
      link: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const options: DemoOptions = {
    captures: values.captures ?? null,
    speed: values.speed ?? null,
    seconds: Number(values.seconds),
    namespaces: inPrivateNamespaces() !== null,
  };
  if (options.namespaces || values.link === 'null') return runDemo(options);
  const found = findNamespaceMode();
  if ('mode' in found) return reexecInNamespaces(found.mode, import.meta.filename, process.argv.slice(2));
  process.stdout.write(
    `network namespaces are not to be had here: ${found.reason}\n` +
      'so the traffic comes from a generator, and the sensors replay into files instead of interfaces\n\n',
  );
  return runDemo(options);
}

process.exitCode = await main();
