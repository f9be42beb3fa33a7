/** How records get into a file, and out of it again, whatever the disk does. */

import { at, type Fault, fault, isChange, printable, UsageError } from '../model/index.ts';
import { foreignIn, journalRecord } from './record-schema.ts';
import type { JournalRecord } from './records.ts';

export interface Journal {
  /** Resolves when the record is on disk. Records that wait together share one fsync. */
  commit(record: JournalRecord): Promise<void>;
  close(): Promise<void>;
}

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

/**
 * A journal that cannot be written any more ends no run: what is not recorded is not begun, and a host whose settlement is
 * lost stays in doubt in the journal, which is the truth as far as the journal knows it.
 */
export async function record(journal: Journal, entry: JournalRecord): Promise<Fault | null> {
  try {
    await journal.commit(entry);
    return null;
  } catch (error) {
    return unwritable(error);
  }
}

export function unwritable(error: unknown): Fault {
  return fault('journal', `the journal cannot be written: ${(error as Error).message}`);
}

/** The records of a journal's text; `file` is for what is said of it. Throws UsageError with the line that is no record. */
export function recordsOf(text: string, file: string): JournalRecord[] {
  return [...linesOf(text, file)].map(({ record }) => record);
}

/** The same of a whole journal: it begins with its run, tells of that run's hosts alone, and of no change without its intent. */
export function journalFrom(text: string, file: string, run: string): JournalRecord[] {
  const hosts = new Set<string>();
  const begun = new Set<string>();
  const records: JournalRecord[] = [];
  for (const { record, line } of linesOf(text, file)) {
    const wrong = (message: string) => new DamagedJournal(at(file, line, message));
    if ((record.type === 'run') !== (records.length === 0)) {
      throw wrong(records.length === 0 ? 'the journal does not begin with a run' : 'a second run in one journal');
    }
    if (record.type === 'run') {
      if (record.run.id !== run) throw wrong(`this is the journal of run ${printable(record.run.id)}`);
      for (const { host } of record.hosts) hosts.add(host);
    } else if (record.type === 'joined') hosts.add(record.host.host);
    const stranger = hostsOf(record).find((host) => !hosts.has(host));
    if (stranger !== undefined) throw wrong(`the run has no host ${printable(stranger)}`);
    if (record.type === 'intent') begun.add(record.host);
    // it would look like a host that was never touched, and no rollback would come to it
    if (record.type === 'settled' && isChange(record.report.outcome) && !begun.has(record.report.host)) {
      throw wrong(`${printable(record.report.host)} is ${record.report.outcome}, and its intent is missing`);
    }
    records.push(record);
  }
  if (records.length === 0) throw new DamagedJournal(at(file, undefined, 'the journal does not begin with a run'));
  return records;
}

function hostsOf(record: JournalRecord): readonly string[] {
  switch (record.type) {
    case 'intent':
    case 'keeping':
      return [record.host];
    case 'settled':
      return [record.report.host];
    case 'keep':
    case 'forget':
    case 'rollback':
    case 'recovery':
      return record.hosts;
    default:
      return [];
  }
}

function* linesOf(text: string, file: string): Generator<{ record: JournalRecord; line: number }> {
  const lines = text.split('\n');
  // after the last newline comes nothing, or what a crash left of a record
  lines.pop();
  for (const [index, line] of lines.entries()) {
    if (line.endsWith(TORN)) continue;
    yield { record: recordFrom(line, file, index + 1), line: index + 1 };
  }
}

function recordFrom(text: string, file: string, line: number): JournalRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new DamagedJournal(at(file, line, 'not a journal record'));
  }
  const foreign = foreignIn(value);
  if (foreign !== null) throw new UsageError(at(file, line, foreign), 'Use the version of fleetmask that wrote it.');
  const wrong = journalRecord(value);
  if (wrong !== null)
    throw new DamagedJournal(at(file, line, `not a journal record (${printable(wrong.replace(/^: /, ''))})`));
  return value as JournalRecord;
}
