#!/usr/bin/env node
// Starts the compiled program, and owns the one question that must be answered before it can be loaded:
// is this Node new enough? It therefore uses nothing that Node 14 cannot parse. With too old a Node it runs
// itself again on the Node that set-up put into the checkout, or says what is wrong in one line.

import { spawn } from 'child_process';
import { existsSync } from 'fs';
import { fileURLToPath } from 'url';

const MAIN = new URL('../dist/main.js', import.meta.url);
const CHECKOUT = new URL('../../../', import.meta.url);
const BUNDLED = [
  'node_modules/.bin/node',
  `.node/node_modules/node-${process.platform}-${process.arch}/bin/node`,
];
/** Set for the program that is run again, so that a wrong "bundled" Node cannot start an endless chain. */
const GUARD = 'CAPFLEET_NODE_CHOSEN';

function isSupported(version) {
  const parts = version.split('.').map(Number);
  return parts[0] >= 24 || (parts[0] === 22 && parts[1] >= 15);
}

function refuse(message) {
  process.stderr.write(`capfleet: ${message}\n`);
  process.exitCode = 1;
}

/** Stands in for the program that really runs: passes signals on to it and ends the way it ended. */
function runAgainWith(node) {
  const child = spawn(node, process.execArgv.concat(fileURLToPath(import.meta.url), process.argv.slice(2)), {
    stdio: 'inherit',
    env: Object.assign({}, process.env, { [GUARD]: '1' }),
  });
  // A terminal sends these to the child by itself; sending SIGINT twice would mean "give up at once".
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP']) {
    process.on(signal, () => {
      if (!process.stdin.isTTY) child.kill(signal);
    });
  }
  for (const signal of ['SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGCONT']) {
    process.on(signal, () => {
      child.kill(signal);
    });
  }
  child.on('error', (error) => {
    refuse(`cannot run ${node}: ${error.message}`);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) {
      process.exitCode = code;
    } else {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    }
  });
}

/** What V8 made of the program is kept for the next start, in a folder of this user alone. */
async function keepCompiled() {
  const base = process.env.XDG_CACHE_HOME || (process.env.HOME && `${process.env.HOME}/.cache`);
  if (!base || process.env.NODE_COMPILE_CACHE !== undefined) return;
  // For the services that a command starts.
  process.env.NODE_COMPILE_CACHE = `${base}/capfleet/compiled`;
  const { enableCompileCache } = await import('module');
  enableCompileCache(process.env.NODE_COMPILE_CACHE);
}

function runHere() {
  if (!existsSync(MAIN)) {
    refuse('not built: run `npm run build`');
    return;
  }
  delete process.env[GUARD];
  // Without a place to keep it the program starts all the same.
  const ready = keepCompiled().catch(() => undefined);
  ready
    .then(() => import(MAIN.href))
    .catch((error) => {
      if (error !== null && typeof error === 'object' && error.code === 'ERR_MODULE_NOT_FOUND') {
        refuse(`not completely installed: run \`npm run setup\` (${String(error.message).split('\n')[0]})`);
      } else {
        throw error;
      }
    });
}

if (isSupported(process.versions.node)) {
  runHere();
} else {
  const bundled = BUNDLED.map((path) => fileURLToPath(new URL(path, CHECKOUT))).find((path) =>
    existsSync(path),
  );
  if (bundled === undefined || process.env[GUARD] !== undefined) {
    refuse(
      `needs Node 24 (or 22.15 and later), this is ${process.versions.node}: run \`npm run setup\`, or install Node 24`,
    );
  } else {
    runAgainWith(bundled);
  }
}
