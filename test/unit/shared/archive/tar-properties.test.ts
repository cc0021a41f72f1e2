// Archives of every kind, made at random: the same members in any chunking, and no crash or endless walk whatever
// bytes are changed in them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { errorTable } from '@capfleet/shared/errors/codes';
import { readMembers } from '../../../support/read-members.ts';
import { tarDialects, tarEnd, tarMember, withChecksum, type TarEntry } from '../../../support/tar-writer.ts';

const entry: fc.Arbitrary<TarEntry> = fc.record({
  name: fc.stringMatching(/^[a-z/]{1,60}[a-z]$/),
  data: fc.uint8Array({ maxLength: 1500 }),
  mtime: fc.nat(),
});
const archive = fc
  .array(fc.tuple(entry, fc.constantFrom(...tarDialects)), { maxLength: 6 })
  .map((members) => ({
    entries: members.map(([member]) => member),
    bytes: Buffer.concat([...members.map(([member, dialect]) => tarMember(member, dialect)), tarEnd()]),
  }));
const chunks = fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 5 });

describe('any archive', () => {
  test('gives the same members in any chunks, each where it lies', async () => {
    await fc.assert(
      fc.asyncProperty(archive, chunks, async ({ entries, bytes }, chunk) => {
        const { members, failure, open } = await readMembers(bytes, { chunk });
        assert.deepEqual([failure, open], [null, 0]);
        assert.deepEqual(
          members.map(({ name, data }) => ({ name, data })),
          entries.map(({ name, data }) => ({ name, data: Buffer.from(data!) })),
        );
        for (const { offset, data } of members)
          assert.ok(bytes.subarray(offset!, offset! + data.length).equals(data));
      }),
      { numRuns: 300 },
    );
  });

  test('changed and cut anywhere ends in order, the same in any chunks', async () => {
    const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(
        archive,
        fc.array(change, { maxLength: 8 }),
        fc.nat(),
        chunks,
        async ({ bytes }, changes, cut, chunk) => {
          for (const [place, value] of changes) bytes[place % bytes.length] = value;
          const damaged = bytes.subarray(0, bytes.length - (cut % 3 === 0 ? cut % bytes.length : 0));
          const whole = await readMembers(damaged);
          const pieces = await readMembers(damaged, { chunk });
          assert.equal(pieces.open, 0);
          assert.deepEqual(pieces.members, whole.members);
          assert.equal(pieces.failure?.message, whole.failure?.message);
          assert.ok(
            whole.failure === null || (whole.failure.code in errorTable && whole.failure.code !== 'internal'),
          );
        },
      ),
      { numRuns: 700 },
    );
  });

  test('whose numbers are changed and whose checksums fit again ends in order', async () => {
    const fields = [0, 100, 124, 136, 148, 156, 157, 257, 265, 345, 482, 504];
    const change = fc.tuple(
      fc.constantFrom(...fields),
      fc.nat({ max: 11 }),
      fc.integer({ min: 0, max: 255 }),
    );
    await fc.assert(
      fc.asyncProperty(
        entry,
        fc.constantFrom(...tarDialects),
        fc.array(change, { minLength: 1, maxLength: 6 }),
        async (member, dialect, changes) => {
          const bytes = Buffer.concat([tarMember(member, dialect), tarMember(member, 'ustar'), tarEnd()]);
          for (const [field, place, value] of changes) bytes[field + place] = value;
          withChecksum(bytes.subarray(0, 512));
          const { failure, open } = await readMembers(bytes);
          assert.equal(open, 0);
          assert.ok(failure?.code !== 'internal', failure?.stack);
        },
      ),
      { numRuns: 700 },
    );
  });
});
