/** How records get into a file, and out of it again, whatever the disk does. */
import { at, UsageError } from '../model/index.ts';
import type { Journal, JournalRecord } from './journal.ts';

/** Where a journal is written: what is appended counts when it is synced. */
export interface JournalFile {
  appendFile(text: string): Promise<void>;
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** A journal that does not tell its run. What the run left on its hosts may. */
export class DamagedJournal extends UsageError {
  constructor(message: string) {
    super(
      message,
      'Look at it by hand, or go by what lies on the hosts: fleetmask recover --from-hosts RUN -i … -l ….',
    );
  }
}

/** Ends a line that a crash or a full disk cut off, so that what comes next has a line of its own. */
const TORN = ' (torn)';

/** `text`: what is in the file already. */
export function journalOn(file: JournalFile, text = ''): Journal {
  let waiting: { line: string; done: () => void; failed: (error: unknown) => void }[] = [];
  let writing: Promise<void> | null = null;
  let torn = text !== '' && !text.endsWith('\n');
  /** After a failed sync nobody knows what is on disk, and the next sync would not tell. */
  let lost: { readonly error: unknown } | null = null;

  const write = async (lines: string) => {
    if (lost !== null) throw lost.error;
    const end = torn ? `${TORN}\n` : '';
    torn = true;
    await file.appendFile(`${end}${lines}`);
    torn = false;
    await file.datasync().catch((error) => {
      lost = { error };
      throw error;
    });
  };
  const drain = async () => {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await write(batch.map(({ line }) => line).join(''));
        for (const { done } of batch) done();
      } catch (error) {
        for (const { failed } of batch) failed(error);
      }
    }
    writing = null;
  };
  return {
    commit: (record) =>
      new Promise((done, failed) => {
        waiting.push({ line: `${JSON.stringify(record)}\n`, done, failed });
        writing ??= drain();
      }),
    close: async () => {
      await writing;
      await file.close();
    },
  };
}

/** The records of a journal's text; `file` is for what is said of it. */
export function recordsOf(text: string, file: string): JournalRecord[] {
  const lines = text.split('\n');
  // after the last newline comes nothing, or what a crash left of a record
  lines.pop();
  return lines.flatMap((line, index) => {
    if (line.endsWith(TORN)) return [];
    try {
      const record = JSON.parse(line) as JournalRecord;
      if (typeof record === 'object' && record !== null && 'type' in record) return [record];
    } catch {}
    throw new DamagedJournal(at(file, index + 1, 'not a journal record'));
  });
}
