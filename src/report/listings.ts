import type { Host, HostReport, Report, RunInfo } from '../model/index.ts';
import { countOutcomes, explain, failuresOf } from './explain.ts';
import { labelHosts } from './hosts.ts';
import type { Screen } from './output.ts';
import { type ResultOptions, renderReport } from './results.ts';
import { NONE } from './state.ts';
import { type Cell, type Column, renderTable } from './table.ts';
import { safe } from './text.ts';

/** `interrupted`: whoever was at work on it is gone. */
export type RunProgress = 'running' | 'interrupted' | 'finished';

/** What a journal tells about one run, for the list. */
export interface RunSummary {
  readonly run: RunInfo;
  readonly state: RunProgress;
  /** Hosts that may have been changed, and are not known to be as asked or as before. */
  readonly inDoubt: number;
  /** null: it did not finish. */
  readonly finishedAt: string | null;
  readonly hosts: number;
  readonly totals: Report['totals'];
}

/** A journal that cannot be read. */
export interface DamagedRun {
  readonly state: 'damaged';
  readonly id: string;
  readonly message: string;
}

export type Listed = RunSummary | DamagedRun;

/** `runs list`. */
export function runsTable(runs: readonly Listed[], screen: Screen): string {
  return renderTable(RUN_COLUMNS, runs, screen) || 'no runs\n';
}

const RUN_COLUMNS: readonly Column<Listed>[] = [
  // whole, for it is copied into the next command
  { title: 'run', of: (row) => (row.state === 'damaged' ? row.id : row.run.id), as: 'word', min: 12 },
  { title: 'started', of: known(({ run }) => minute(run.startedAt)), as: 'text', rank: 0, min: 10 },
  { title: 'command', of: known(({ run }) => commandLine(run)), as: 'text', rank: 3, min: 10 },
  { title: 'hosts', of: known(({ hosts }) => String(hosts)), as: 'word', align: 'right', min: 5 },
  { title: 'result', of: result, as: 'text', rank: 2, min: 14 },
  { title: 'by', of: known(({ run }) => run.actor), as: 'name', min: 8 },
];

function known(of: (run: RunSummary) => string): (row: Listed) => string {
  return (row) => (row.state === 'damaged' ? NONE : of(row));
}

function result(row: Listed): Cell {
  switch (row.state) {
    case 'damaged':
      return { text: 'damaged', style: 'alarm' };
    case 'running':
      return { text: 'at work', style: 'caution' };
    case 'interrupted':
      return { text: row.inDoubt > 0 ? `interrupted, ${row.inDoubt} in doubt` : 'interrupted', style: 'alarm' };
    case 'finished':
      return countOutcomes(row.totals)
        .map(({ text }) => text)
        .join('');
  }
}

/** `2025-11-22 11:12Z` */
function minute(time: string): string {
  return `${time.slice(0, 16).replace('T', ' ')}Z`;
}

/** `mask cron --now` */
export function commandLine(run: RunInfo): string {
  return [run.command, ...run.units, ...(run.now ? ['--now'] : []), ...(run.runtime ? ['--runtime'] : [])].join(' ');
}

/** A run as the receipts tell of it, and where they are. */
export interface ReceiptRow {
  readonly run: RunInfo;
  readonly hosts: readonly string[];
}

/** `recover --from-hosts`: what runs left on the hosts; then the hosts that could not be asked. */
export function receiptsTable(
  rows: readonly ReceiptRow[],
  unread: readonly HostReport[],
  screen: Screen,
  { verbose }: { readonly verbose: boolean },
): string {
  const table = renderTable(RECEIPT_COLUMNS, rows, screen) || 'no receipts\n';
  return [table, explain(failuresOf(unread), screen, verbose ? 'all' : 'some')]
    .filter((part) => part !== '')
    .join('\n');
}

const RECEIPT_COLUMNS: readonly Column<ReceiptRow>[] = [
  { title: 'run', of: ({ run }) => run.id, as: 'word', min: 12 },
  { title: 'started', of: ({ run }) => minute(run.startedAt), as: 'text', rank: 0, min: 10 },
  { title: 'command', of: ({ run }) => commandLine(run), as: 'text', rank: 3, min: 10 },
  { title: 'by', of: ({ run }) => run.actor, as: 'name', min: 8 },
  { title: 'why', of: ({ run }) => [run.ticket, run.reason].filter(Boolean).join(': '), as: 'text', rank: 1, min: 8 },
  { title: 'on', of: ({ hosts }) => labelHosts(hosts), as: 'name', min: 8 },
];

/** What a journal tells about one run, host by host. */
export interface RunRecord {
  readonly run: RunInfo;
  readonly state: RunProgress;
  readonly finishedAt: string | null;
  readonly hosts: readonly HostReport[];
  readonly totals: Report['totals'];
  readonly exitCode: number | null;
}

/** `runs show`: who, when and why, then the results as they were shown. */
export function runDetails(record: RunRecord, screen: Screen, options: ResultOptions): string {
  const { run, finishedAt } = record;
  const facts: [string, string | null][] = [
    ['run', run.id],
    ['command', commandLine(run)],
    ['known by', run.from === 'receipts' ? 'receipts on its hosts: what each says is true of that host at most' : null],
    ['by', run.actor],
    ['reason', run.reason],
    ['ticket', run.ticket],
    ['started', run.startedAt],
    ['finished', record.state === 'running' ? 'no: still at work' : (finishedAt ?? 'no: this run was interrupted')],
    ['exit code', record.exitCode === null ? null : String(record.exitCode)],
  ];
  const head = facts.flatMap(([name, value]) => (value === null ? [] : [`${name.padEnd(9)}  ${safe(value)}\n`]));
  const report: Report = {
    schema: 'fleetmask.report/1',
    run: { ...run, finishedAt: finishedAt ?? '' },
    hosts: record.hosts,
    totals: record.totals,
    exitCode: record.exitCode ?? 0,
  };
  return `${head.join('')}\n${renderReport(report, screen, options)}`;
}

/** `inventory list`. */
export function inventoryTable(hosts: readonly Host[], screen: Screen): string {
  return renderTable(INVENTORY_COLUMNS, hosts, screen) || 'no hosts\n';
}

const INVENTORY_COLUMNS: readonly Column<Host>[] = [
  { title: 'host', of: ({ name }) => name, as: 'name', min: 12 },
  {
    title: 'address',
    of: ({ name, connection: { address = name, port } }) => (port === undefined ? address : `${address} port ${port}`),
    as: 'name',
    min: 12,
  },
  { title: 'user', of: ({ connection }) => connection.user ?? '', as: 'text', rank: 1, min: 8 },
  { title: 'groups', of: ({ groups }) => groups.join(', '), as: 'text', rank: 0, min: 12 },
];
