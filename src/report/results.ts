import type { Command, HostReport, Outcome, Report, UnitReport, UnitState } from '../model/index.ts';
import { explain, failuresOf, notes, totals } from './explain.ts';
import { group, labelHosts } from './hosts.ts';
import type { Screen } from './output.ts';
import { outcomeStyle } from './paint.ts';
import { pending } from './pending.ts';
import { asNow, change, distro, fileWord, lastRead, NONE, runsOn } from './state.ts';
import { type Cell, type Column, renderTable } from './table.ts';
import { duration } from './time.ts';

export interface ResultOptions {
  /** Every host by itself, every name in a list. */
  readonly verbose: boolean;
  /** When it is read, where that is later than the end of the run. UTC, RFC 3339. */
  readonly now?: string;
}

/** Up to so many hosts each has a row of its own. */
const FOLD_ABOVE = 40;

/** The screen at the end of a run: the table, failures last; notes; what failed and what to do about it; totals. */
export function renderReport(report: Report, screen: Screen, options: ResultOptions): string {
  const hosts = report.hosts.toSorted((a, b) => ORDER[a.outcome] - ORDER[b.outcome]);
  const fold = !options.verbose && hosts.length > FOLD_ABOVE;
  const groups = fold ? group(hosts, (host) => content(host)) : hosts.map((host) => [host]);
  const rows = groups.flatMap((equal) => rowsOf(equal));
  const columns = COLUMNS[report.run.command];
  const naming = options.verbose ? 'all' : 'some';
  return [
    renderTable(columns, rows, screen),
    notes(hosts, screen, naming),
    pending(hosts, report.run.id, options.now ?? report.run.finishedAt, screen, naming),
    explain(failuresOf(hosts), screen, naming),
    totals(report, screen, groups.length < hosts.length),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

/** Failures last, the worst at the very end, where an eye is when the prompt returns. */
export const ORDER: Readonly<Record<Outcome, number>> = {
  masked: 0,
  unmasked: 0,
  restored: 0,
  unchanged: 0,
  planned: 0,
  absent: 0,
  mixed: 1,
  'not-masked': 2,
  forgotten: 3,
  refused: 3,
  'not-started': 4,
  unreachable: 5,
  'rolled-back': 6,
  stranded: 7,
};

/** One unit of one host, or of several hosts with the same to show. */
interface Row {
  /** Only in the first row of a host, where what concerns the whole host stands. */
  readonly head: { readonly hosts: readonly string[]; readonly seconds: number } | null;
  readonly host: HostReport;
  readonly unit: UnitReport | null;
}

function rowsOf(equal: readonly HostReport[]): Row[] {
  const host = equal[0]!;
  const head = {
    hosts: equal.map((each) => each.host),
    seconds: equal.reduce((longest, each) => Math.max(longest, each.seconds), 0),
  };
  if (host.units.length === 0) return [{ head, host, unit: null }];
  return host.units.map((unit, i) => ({ head: i === 0 ? head : null, host, unit }));
}

/** Everything that the rows of a host show but its name and time. */
function content(host: HostReport): string {
  const units = host.units.map((each) => [each.unit, each.before, each.after, each.steps, lastRead(host, each)]);
  return JSON.stringify([host.outcome, distro(host), units]);
}

const HOST: Column<Row> = {
  title: 'host',
  of: ({ head }) => (head ? labelHosts(head.hosts) : ''),
  as: 'name',
  min: 8,
};
const DISTRO: Column<Row> = {
  title: 'distro',
  of: ({ head, host }) => (head ? distro(host) : ''),
  as: 'text',
  rank: 1,
  min: 6,
};
const UNIT: Column<Row> = { title: 'unit', of: ({ unit }) => unit?.unit ?? NONE, as: 'name', min: 8 };
const STATE: Column<Row> = {
  title: 'state',
  of: ({ host, unit }) => change(host, unit, fileWord),
  as: 'text',
  rank: 0,
  min: 8,
};
const ACTIVE: Column<Row> = { title: 'active', of: activeCell, as: 'text', rank: 0, min: 10 };
const OUTCOME: Column<Row> = {
  title: 'outcome',
  of: ({ head, host }) => (head ? { text: host.outcome, style: outcomeStyle(host.outcome) } : ''),
  as: 'word',
  min: 11,
};
const TIME: Column<Row> = { title: 'time', of: ({ head }) => time(head), as: 'word', align: 'right', min: 5 };
const STEPS: Column<Row> = {
  title: 'would',
  of: ({ unit }) => unit?.steps.join(', ') || NONE,
  as: 'text',
  rank: 0,
  min: 16,
};

const CHANGE = [HOST, DISTRO, UNIT, STATE, ACTIVE, OUTCOME, TIME];
const STATUS = [HOST, DISTRO, UNIT, now('load'), now('file'), now('active'), OUTCOME, TIME];
const COLUMNS: Record<Command, readonly Column<Row>[]> = {
  mask: CHANGE,
  unmask: CHANGE,
  rollback: CHANGE,
  recover: CHANGE,
  confirm: CHANGE,
  extend: CHANGE,
  release: CHANGE,
  plan: [HOST, DISTRO, UNIT, STATE, ACTIVE, STEPS, OUTCOME],
  status: STATUS,
  watch: STATUS,
};

function now(field: keyof UnitState): Column<Row> {
  const of = ({ unit }: Row) => (unit?.after ?? unit?.before)?.[field] || NONE;
  return { title: field, of, as: 'text', rank: 0, min: 6 };
}

function activeCell({ host, unit }: Row): Cell {
  const text = change(host, unit, ({ active }) => active || NONE);
  return unit !== null && runsOn(asNow(host, unit)) ? { text, style: 'caution' } : text;
}

function time(head: Row['head']): string {
  if (head === null) return '';
  return head.hosts.length > 1 ? `≤ ${duration(head.seconds)}` : duration(head.seconds);
}
