import type { HostReport, Report, RunInfo, UnitReport } from '../model/index.ts';
import { historyLines } from './state.ts';
import { safe } from './text.ts';

type Value = string | number | null | undefined;

type Of = (host: HostReport, unit: UnitReport | null, run: RunInfo) => Value;

/** In the order of the file. What the JSON has too is called by its path there; new ones are added at the end. */
const COLUMNS: readonly (readonly [title: string, of: Of])[] = [
  ['host', ({ host }) => host],
  ['address', ({ address }) => address],
  ['port', ({ port }) => port],
  ['outcome', ({ outcome }) => outcome],
  ['os', ({ os }) => os && [os.id, os.version].filter(Boolean).join(' ')],
  ['systemd', ({ systemd }) => systemd],
  ['asked', (_, unit) => unit?.asked],
  ['unit', (_, unit) => unit?.unit],
  ['before.load', (_, unit) => unit?.before?.load],
  ['before.file', (_, unit) => unit?.before?.file],
  ['before.active', (_, unit) => unit?.before?.active],
  ['after.load', (_, unit) => unit?.after?.load],
  ['after.file', (_, unit) => unit?.after?.file],
  ['after.active', (_, unit) => unit?.after?.active],
  ['startProbe', (_, unit) => unit?.startProbe],
  ['triggers', (_, unit) => unit?.triggers.join(' ')],
  ['leftovers', (_, unit) => unit?.leftovers],
  ['fault.kind', ({ fault }) => fault?.kind],
  ['fault.message', ({ fault }) => fault?.message],
  ['fault.hint', ({ fault }) => fault?.hint],
  ['seconds', ({ seconds }) => seconds],
  ['wave', ({ wave }) => wave],
  ['run', (_, __, run) => run.id],
  ['steps', (_, unit) => unit?.steps.join('; ')],
  ['notes', (_, unit) => unit?.notes.join('; ')],
  ['history', (host, unit) => historyLines({ history: historyOf(host, unit) }).join(' | ')],
  ['stopsToo', (_, unit) => unit?.stopsToo?.join(' ')],
  ['notCovered', (_, unit) => unit?.notCovered?.join(' ')],
];

/** Later visits that concern the unit of the line, or the whole host. */
function historyOf({ history = [] }: HostReport, unit: UnitReport | null) {
  return history.filter((visit) => visit.unit === null || unit === null || visit.unit === unit.unit);
}

/** RFC 4180: a header, then a line per host and unit; a host of which no unit is known has one line. Null is empty. */
export function toCsv({ run, hosts }: Report): string {
  const rows = hosts.flatMap((host) =>
    (host.units.length > 0 ? host.units : [null]).map((unit) => COLUMNS.map(([, of]) => of(host, unit, run))),
  );
  return [COLUMNS.map(([title]) => title), ...rows].map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
}

/** What a spreadsheet may take for a formula, full-width signs included; or what comes after a blank that it trims. */
const FORMULA = /^(?:[\t\r\n]|\s*[=+\-@＝＋－＠])/u;
/** Where the list separator is a semicolon, a spreadsheet may begin a cell there. */
const AFTER_SEMICOLON = /;(?=\s*[=+\-@＝＋－＠])/gu;

/**
 * One field. An apostrophe keeps a spreadsheet from calculating what a host says: who wants the very text reads the JSON. Text is
 * always quoted, numbers never are.
 */
export function csvCell(value: Value): string {
  if (value === null || value === undefined || value === '') return '';
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : '';
  const inert = safe(value).replace(AFTER_SEMICOLON, ";'");
  return `"${(FORMULA.test(value) ? `'${inert}` : inert).replaceAll('"', '""')}"`;
}
