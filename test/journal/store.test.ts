/** What a journal is when its disk is full, or fails. */

import { describe, expect, it } from 'vitest';
import { journalOn, recordsOf } from '../../src/journal/append-log.ts';
import type { JournalRecord } from '../../src/journal/records.ts';

const rollback = (actor: string): JournalRecord => ({ type: 'rollback', at: '', actor, hosts: [] });

/** A file in memory that is given the fate of each write and each sync. */
function file(writes: readonly ('done' | 'torn')[], syncs: readonly ('done' | 'failed')[] = []) {
  const fates = { writes: [...writes], syncs: [...syncs] };
  const self = {
    text: '',
    appendFile: async (data: string) => {
      if (fates.writes.shift() === 'torn') {
        self.text += data.slice(0, data.length >> 1);
        throw new Error('ENOSPC: no space left on device, write');
      }
      self.text += data;
    },
    datasync: async () => {
      if (fates.syncs.shift() === 'failed') throw new Error('EIO: i/o error, fdatasync');
    },
    close: async () => {},
  };
  return self;
}

describe('a journal', () => {
  it('whose disk was full for a moment has what comes after it on lines of their own', async () => {
    const disk = file(['done', 'torn', 'done']);
    const journal = journalOn(disk);
    await journal.commit(rollback('a'));
    await expect(journal.commit(rollback('b'))).rejects.toThrow('ENOSPC');
    await journal.commit(rollback('c'));
    expect(recordsOf(disk.text, 'journal')).toEqual([rollback('a'), rollback('c')]);
  });

  it('that a crash cut off goes on with a line of its own', async () => {
    const disk = file([]);
    disk.text = `${JSON.stringify(rollback('a'))}\n{"type":"int`;
    await journalOn(disk, disk.text).commit(rollback('b'));
    expect(recordsOf(disk.text, 'journal')).toEqual([rollback('a'), rollback('b')]);
  });

  it('that could not be synced once takes nothing more: the next sync would not tell what is lost', async () => {
    const journal = journalOn(file([], ['done', 'failed', 'done']));
    await journal.commit(rollback('a'));
    await expect(journal.commit(rollback('b'))).rejects.toThrow('EIO');
    await expect(journal.commit(rollback('c'))).rejects.toThrow('EIO');
  });
});
