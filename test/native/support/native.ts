/** The built binding, or a failure that says how to build it: these tests have nothing to say without. */
import {
  loadNative,
  type NativeBinding,
  type PacerHandle,
  type PacerOptions,
} from '../../../services/replayer/src/native/binding.ts';

function builtOrThrow(): NativeBinding {
  const native = loadNative();
  if (native === null)
    throw new Error('the native core is not built: node-gyp rebuild -C services/replayer/native');
  return native;
}

export const native = builtOrThrow();

const PLAIN: PacerOptions = {
  link: 'null',
  interface: '',
  qdiscBypass: true,
  path: '',
  linkType: 1,
  ringBytes: 1 << 16,
  spin: 'auto',
  realtime: false,
  cpu: -1,
  lockMemory: false,
  txStamps: 'off',
  lateDropNs: 0,
  maxBatch: 64,
};

export function createPacer(options: Partial<PacerOptions> = {}): PacerHandle {
  return native.createPacer({ ...PLAIN, ...options });
}
