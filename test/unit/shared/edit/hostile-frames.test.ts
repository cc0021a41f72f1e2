// Whatever the bytes of a frame and the edits, the editor neither throws nor reads or writes beside the frame, and what
// comes out has the length that the edits say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { editPlanSchema, noEdits, type EditPlan } from '@capfleet/shared/edit/edit-plan';
import { createFrameEditor } from '@capfleet/shared/edit/frame-editor';
import { packetOf } from '../../../support/edit-frames.ts';

const mac = fc
  .array(fc.integer({ min: 0, max: 255 }), { minLength: 6, maxLength: 6 })
  .map((bytes) => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':'));
const prefixes = fc.constantFrom(
  { from: '0.0.0.0/0', to: '10.0.0.0/0' },
  { from: '0.0.0.0/1', to: '128.0.0.0/1' },
  { from: '10.0.0.0/8', to: '255.0.0.0/8' },
  { from: '::/0', to: '::/0' },
  { from: '::/3', to: 'e000::/3' },
);
const port = fc.integer({ min: 0, max: 65_535 });
const vlanId = fc.integer({ min: 0, max: 4095 });
const plans: fc.Arbitrary<EditPlan> = fc.record({
  toEthernet: fc.boolean(),
  macSource: fc.option(mac),
  macDestination: fc.option(mac),
  macMap: fc.array(fc.record({ from: mac, to: mac }), { maxLength: 2 }),
  vlanStrip: fc.boolean(),
  vlanMap: fc.array(fc.record({ from: vlanId, to: vlanId }), { maxLength: 2 }),
  vlanAdd: fc.option(
    fc.record({
      id: vlanId,
      priority: fc.integer({ min: 0, max: 7 }),
      type: fc.constantFrom('802.1Q' as const, '802.1ad' as const),
    }),
  ),
  ipMap: fc.array(prefixes, { maxLength: 3 }),
  uniqueIp: fc.boolean(),
  portMap: fc
    .array(fc.record({ from: port, to: port }), { maxLength: 2 })
    .map((rules) => rules.map(({ from, to }) => ({ from, through: 65_535, to }))),
  ttl: fc.option(
    fc.oneof(
      fc.record({ kind: fc.constant('set' as const), value: fc.integer({ min: 1, max: 255 }) }),
      fc.record({ kind: fc.constant('add' as const), value: fc.integer({ min: -255, max: 255 }) }),
    ),
  ),
  padToWire: fc.boolean(),
  fixChecksums: fc.boolean(),
});

const word = (value: number): number[] => [value >> 8, value & 0xff];
/** Bytes that look like a header in some places, so that the walk gets far. */
const pieces = fc.oneof(
  fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 }),
  fc.constantFrom(
    word(0x8100),
    word(0x88a8),
    word(0x0800),
    word(0x86dd),
    word(0x0806),
    [0x45, 0, 0, 40],
    [0x4f],
    [0x60, 0, 0, 0, 0, 0, 0],
    [0, 1, 8, 0, 6, 4],
    [0, 0, 0, 0, 0, 0, 0, 0],
    [43, 255, 0, 1, 44, 0, 0, 0],
    [6],
    [17],
    [58],
  ),
);
const frames = fc.oneof(
  fc.array(pieces, { maxLength: 30 }).map((parts) => Uint8Array.from(parts.flat())),
  fc
    .tuple(fc.constantFrom(0x0800, 0x86dd, 0x0806, 0x8100), fc.array(pieces, { maxLength: 30 }))
    .map(([type, parts]) =>
      Uint8Array.from([...new Array<number>(12).fill(2), ...word(type), ...parts.flat()]),
    ),
);

test('any frame is edited within its bounds', () => {
  fc.assert(
    fc.property(
      plans,
      fc.array(
        fc.record({
          frame: frames,
          linkType: fc.constantFrom(1, 1, 1, 0, 12, 101, 108, 113, 228, 229, 276, 105),
          beyond: fc.oneof(fc.constant(0), fc.integer({ min: -10, max: 3000 })),
        }),
        { minLength: 1, maxLength: 5 },
      ),
      (plan, packets) => {
        assert.ok(editPlanSchema.safeParse(plan).success);
        const editor = createFrameEditor(plan);
        for (const [loop, { frame, linkType, beyond }] of packets.entries()) {
          editor.enterLoop(loop);
          const packet = packetOf(frame, linkType, frame.length + beyond);
          const before = Buffer.from(packet.window);
          const refusal = editor.edit(packet);
          assert.ok(packet.window.equals(before));
          if (refusal !== null) continue;
          const { bytes, start, length, wireLength } = editor;
          assert.ok(start >= 0 && length >= 0 && start + length <= bytes.length);
          assert.ok(wireLength >= length);
          if (plan.padToWire) assert.equal(length, wireLength);
          else assert.equal(wireLength - length, Math.max(0, beyond));
        }
      },
    ),
    { numRuns: 3000 },
  );
});

test('what is not there has no part in what comes out', () => {
  fc.assert(
    fc.property(plans, frames, fc.integer({ min: 0, max: 200 }), (plan, frame, beyond) => {
      // The same packet among other bytes, in an editor that has seen other frames.
      const results = [0x00, 0xff].map((filler) => {
        const editor = createFrameEditor({ ...noEdits, ...plan });
        editor.edit(packetOf(Buffer.alloc(400, filler)));
        const packet = packetOf(frame, 1, frame.length + beyond);
        packet.window.fill(filler, 0, packet.dataStart);
        packet.window.fill(filler, packet.dataStart + frame.length);
        editor.edit(packet);
        return editor.bytes.toString('hex', editor.start, editor.start + editor.length);
      });
      assert.equal(results[0], results[1]);
    }),
    { numRuns: 2000 },
  );
});
