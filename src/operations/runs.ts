/** runs: earlier runs, from their journals. */
import { historiesOf, withHistory } from '../journal/history.ts';
import { hostsInDoubt, stateOfRun } from '../journal/replay.ts';
import { allRuns, type Entry } from '../journal/run-index.ts';
import { workerOn } from '../journal/run-lock.ts';
import { readJournal } from '../journal/store.ts';
import { printable, totalsOf, UsageError } from '../model/index.ts';
import { type Listed, type RunProgress, type RunRecord, runDetails, runsTable, visibleJson } from '../report/index.ts';
import { stateDir } from './context/state-directory.ts';
import { EXIT } from './exit.ts';
import { exportRun } from './export.ts';
import type { Io } from './io.ts';
import type { Format, OutputFlags } from './output.ts';
import { colored, refuseReportFormats } from './output.ts';

export interface RunsFlags extends Omit<OutputFlags, 'output'> {
  readonly action?: string | undefined;
  readonly run?: string | undefined;
  readonly output?: Format | undefined;
}

export async function showRuns(io: Io, flags: RunsFlags): Promise<number> {
  const out = colored(io.stdout, io, flags);
  const format = flags.output ?? (flags.action === 'export' ? 'json' : 'table');
  if (flags.action === 'list' || flags.action === 'show') refuseReportFormats(format, `runs ${flags.action}`);
  if (flags.action === 'list') {
    const entries = allRuns(stateDir(io), io.date().getTime());
    for (const entry of entries) {
      if (entry.kind === 'damaged')
        io.stderr.write(`warning: run ${printable(entry.id)} cannot be read: ${printable(entry.why)}\n`);
    }
    const listed = entries.map((entry) => listedAs(io, entry));
    out.write(format === 'table' ? runsTable(listed, out) : `${visibleJson(listed.map(flat), 2)}\n`);
    return EXIT.ok;
  }
  if (flags.action !== 'show' && flags.action !== 'export') {
    throw new UsageError(`runs ${flags.action}: expected list or show, or export`);
  }
  if (flags.run === undefined)
    throw new UsageError(`runs ${flags.action}: which run?`, 'fleetmask runs list shows them; `last` is the newest.');
  if (flags.action === 'export') {
    out.write(exportRun(io, flags.run, format));
    return EXIT.ok;
  }
  const record = recordOf(io, flags.run);
  if (format === 'table')
    out.write(runDetails(record, out, { verbose: flags.verbose ?? false, now: io.date().toISOString() }));
  else out.write(`${visibleJson(record, 2)}\n`);
  if (format === 'table' && record.inDoubt.length > 0 && record.state !== 'running') {
    out.write(`\nin doubt, they may have been changed: ${record.inDoubt.join(', ')}\n`);
    if (record.wayBack !== null) {
      out.write(`every host goes back (--rollback fleet): ${printable(record.wayBack)}\n`);
    }
    out.write(`hint: fleetmask recover ${record.run.id} settles them\n`);
  }
  return EXIT.ok;
}

interface Shown extends RunRecord {
  readonly total: number;
  /** Hosts that may have been changed, and are not known to be as asked or as before. */
  readonly inDoubt: readonly string[];
  /** Why every host goes back that the run changed; null where it does not. */
  readonly wayBack: string | null;
}

function listedAs(io: Io, entry: Entry): Listed {
  if (entry.kind === 'damaged') return { state: 'damaged', id: entry.id, message: entry.why };
  const { run, ended, claims, finishedAt, hosts, inDoubt, totals } = entry;
  const atWork = !ended && claims.some((by) => io.lifeOf(by) === 'alive');
  return { run, state: progress(ended, atWork), finishedAt, hosts, inDoubt, totals };
}

function flat(listed: Listed): object {
  if (listed.state === 'damaged') return listed;
  const { run, ...rest } = listed;
  return { ...run, ...rest };
}

function progress(ended: boolean, atWork: boolean): RunProgress {
  if (ended) return 'finished';
  return atWork ? 'running' : 'interrupted';
}

function recordOf(io: Io, id: string): Shown {
  const records = readJournal(stateDir(io), id);
  const state = stateOfRun(records);
  const { start, finished, ended } = state;
  const hosts = [...state.hosts.values()];
  const histories = historiesOf(records);
  const reports = hosts.flatMap(({ report }) => (report ? [withHistory(report, histories.get(report.host))] : []));
  const atWork = !ended && workerOn(records, (by) => io.lifeOf(by)) !== undefined;
  return {
    run: start.run,
    state: progress(ended, atWork),
    finishedAt: ended ? (finished?.at ?? null) : null,
    hosts: reports,
    total: hosts.length,
    totals: totalsOf(reports),
    exitCode: ended ? (finished?.exitCode ?? null) : null,
    inDoubt: hostsInDoubt(state),
    wayBack: state.wayBack,
  };
}
