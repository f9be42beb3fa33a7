/** The evidence of an earlier run, from its journal, for those who were not there. */

import { historiesOf, withHistory } from '../journal/history.ts';
import type { JournalRecord } from '../journal/records.ts';
import { hostsInDoubt, type RunState, stateOfRun } from '../journal/replay.ts';
import { workerOn } from '../journal/run-lock.ts';
import { readJournal } from '../journal/store.ts';
import { fault, type HostReport, type Report, totalsOf, UsageError } from '../model/index.ts';
import { evidenceJson, toCsv, toHtml, toJunit, visibleJson } from '../report/index.ts';
import { stillInDoubt } from '../run/host/recover.ts';
import { doubtOn, reportOn } from '../run/in-doubt.ts';
import { stateDir } from './context/state-directory.ts';
import { exitCodeOf } from './exit.ts';
import type { Io } from './io.ts';
import type { Format } from './output.ts';

/**
 * The whole document. JSON is the report on every host, and the records of the journal it was made from: who worked on the run
 * and when, each intent with the prior state, each settlement. NDJSON is those records alone; other formats are the report alone.
 * Throws UsageError.
 */
export function exportRun(io: Io, id: string, format: Format): string {
  const records = readJournal(stateDir(io), id);
  switch (format) {
    case 'ndjson':
      return records.map((record) => `${visibleJson(record)}\n`).join('');
    case 'csv':
      return toCsv(reportFrom(io, records));
    case 'junit':
      return toJunit(reportFrom(io, records));
    case 'html':
      return toHtml(reportFrom(io, records));
    case 'json': {
      const state = stateOfRun(records);
      const progress = progressOf(io, records, state);
      return `${evidenceJson(reportFrom(io, records), { state: progress, inDoubt: hostsInDoubt(state), journal: records })}\n`;
    }
    case 'table':
      throw new UsageError('runs export has no form as table', 'fleetmask runs show RUN is that.');
  }
}

function progressOf(
  io: Io,
  records: readonly JournalRecord[],
  { ended }: RunState,
): 'finished' | 'running' | 'interrupted' {
  if (ended) return 'finished';
  return workerOn(records, (by) => io.lifeOf(by)) === undefined ? 'interrupted' : 'running';
}

/** Every host of the run, also of one that did not come to its end: `finishedAt` is empty then. */
function reportFrom(io: Io, records: readonly JournalRecord[]): Report {
  const state = stateOfRun(records);
  const { start, finished, ended } = state;
  const why =
    progressOf(io, records, state) === 'running'
      ? fault('lost', 'the run is still at work on this host', 'Export it again when the run has ended.')
      : fault('lost', 'the run ended before this host was settled', `fleetmask recover ${start.run.id} settles it.`);
  const histories = historiesOf(records);
  const hosts = start.hosts.map((host): HostReport => {
    const doubt = doubtOn(host.host, state, 'settle');
    const known = state.hosts.get(host.host)?.report;
    // a host that was left in doubt by whoever settled it has told why
    const settled = doubt === null || known?.outcome === 'stranded';
    if (settled) return withHistory(reportOn(host, state), histories.get(host.host));
    const report = stillInDoubt(host, doubt, why);
    const settling = { ...report, fault: fault('lost', report.fault?.message ?? why.message, why.hint) };
    return withHistory(settling, histories.get(host.host));
  });
  return {
    schema: 'fleetmask.report/1',
    run: { ...start.run, finishedAt: ended ? (finished?.at ?? '') : '' },
    hosts,
    totals: totalsOf(hosts),
    exitCode: (ended ? finished?.exitCode : undefined) ?? exitCodeOf(start.run.command, hosts, true),
  };
}
