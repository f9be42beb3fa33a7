import { type HostReport, type Report, UNSAFE, type UnitReport, type UnitState } from '../model/index.ts';
import type { Output, Sink } from './output.ts';

/** Exactly one `fleetmask.report/1` document and a newline, when the run has finished. */
export function jsonSink(out: Pick<Output, 'write'>): Sink {
  return {
    event(event) {
      if (event.type === 'run-finished') out.write(`${visibleJson(documentOf(event.report), 2)}\n`);
    },
    end() {},
  };
}

/** Every event as it happens, one JSON value a line. */
export function ndjsonSink(out: Pick<Output, 'write'>): Sink {
  return {
    event(event) {
      out.write(
        `${visibleJson(event.type === 'run-finished' ? { ...event, report: documentOf(event.report) } : event)}\n`,
      );
    },
    end() {},
  };
}

/**
 * JSON that is safe to look at: characters that a terminal would obey, hide or reorder are written `\uXXXX`, where
 * JSON.stringify escapes C0 alone. The data is the same.
 */
export function visibleJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, null, indent).replace(UNSAFE, (char) => (char === '\n' ? char : escapeUnits(char)));
}

function escapeUnits(char: string): string {
  return Array.from({ length: char.length }, (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`).join(
    '',
  );
}

/** The same document with what else is known of the run; `finishedAt` is null where the run did not come to its end. */
export function evidenceJson(report: Report, more: Readonly<Record<string, unknown>>): string {
  const document = documentOf(report);
  const run = { ...document.run, finishedAt: document.run.finishedAt || null };
  return visibleJson({ ...document, run, ...more }, 2);
}

/** The report with its keys in the documented order; keys that are not documented follow. */
function documentOf(report: Report): Report {
  const { schema, run, hosts, totals, exitCode } = report;
  return {
    ...ordered(report, { schema, run, hosts, totals, exitCode }),
    run: ordered(run, {
      id: run.id,
      command: run.command,
      units: run.units,
      now: run.now,
      runtime: run.runtime,
      actor: run.actor,
      reason: run.reason,
      ticket: run.ticket,
      startedAt: run.startedAt,
      finishedAt: run.finishedAt,
    }),
    hosts: hosts.map(hostDocument),
  };
}

function hostDocument(report: HostReport): HostReport {
  const { host, address, port, outcome, seconds, os, systemd, units, fault } = report;
  return ordered(report, {
    host,
    address,
    port,
    outcome,
    seconds,
    os: os && ordered(os, { id: os.id, version: os.version, name: os.name }),
    systemd,
    units: units.map(unitDocument),
    fault: fault && ordered(fault, { kind: fault.kind, message: fault.message, hint: fault.hint }),
  });
}

function unitDocument(report: UnitReport): UnitReport {
  const { asked, unit, before, after, startProbe, triggers, leftovers, steps, notes, covers, ways, receipt } = report;
  const { notCovered, stopsToo } = report;
  return ordered(report, {
    asked,
    unit,
    before: before && stateDocument(before),
    after: after && stateDocument(after),
    startProbe,
    triggers,
    leftovers,
    steps,
    notes,
    ...(covers && { covers }),
    ...(ways && { ways }),
    ...(notCovered && { notCovered }),
    ...(stopsToo && { stopsToo }),
    ...(receipt !== undefined && { receipt }),
  });
}

function stateDocument(state: UnitState): UnitState {
  return ordered(state, { load: state.load, file: state.file, active: state.active });
}

function ordered<T extends object>(value: T, first: T): T {
  return { ...first, ...value, ...first };
}
