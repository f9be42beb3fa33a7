/** doctor: whether hosts are ready for a change. */
import { type Facts, fault, type HostReport } from '../model/index.ts';
import { systemdFault, versionFault } from '../plan/assemble.ts';
import { type DoctorRow, doctorTable, troublesOf, visibleJson } from '../report/index.ts';
import { acrossFleet } from '../run/across-fleet.ts';
import { brokenOn } from '../run/host/auto-rollback.ts';
import { type Crew, visit } from '../run/host/visit.ts';
import type { Description, Transport } from '../transport/transport.ts';
import type { CrewFlags } from './context/run-context.ts';
import { crewOf } from './context/run-context.ts';
import { EXIT } from './exit.ts';
import type { Io } from './io.ts';
import type { OutputFlags } from './output.ts';
import { screens } from './output.ts';
import type { SelectionFlags, WayInFlags } from './targets/from-inventory.ts';
import { selectionOf } from './targets/from-inventory.ts';

export interface DoctorFlags extends SelectionFlags, WayInFlags, CrewFlags, OutputFlags {}

/** Logs in to every host, and reports what a change would need there. Changes nothing. */
export async function checkHosts(io: Io, flags: DoctorFlags): Promise<number> {
  const { hosts, unsupported } = await selectionOf(io, flags);
  const shown = screens(io, { ...flags, output: 'table' });
  /** When each host's probe was sent, by our clock. */
  const asked = new Map<string, number>();
  const { transport, ...rest } = await crewOf(io, flags, hosts, {
    warning: (text) => shown.publish({ type: 'warning', text }),
    asks: () => shown.hold(),
    progress: (host, step) => {
      if (step === 'probing') asked.set(host, io.date().getTime());
      shown.publish({ type: 'host-step', host, step });
    },
  });
  const described = new Map<string, Description>();
  const crew: Crew = { ...rest, wishes: ['clock=yes', 'receipts=all'], transport: noting(transport, described) };
  const found = new Map<string, Found>();
  try {
    const reports = await acrossFleet(
      hosts,
      flags.forks,
      () => null,
      (host) =>
        visit(host, crew, [], async (session) => {
          const { facts } = session;
          const now = io.date().getTime();
          const clockSkew = skewOf(facts.time, asked.get(host.host) ?? now, now);
          found.set(host.host, { facts, clockSkew, rollbacks: brokenOn(session) });
          const { privilege } = facts;
          const none = privilege.kind === 'none' ? fault('no-privilege', privilege.why, privilege.hint) : null;
          return { outcome: 'unchanged', units: [], fault: systemdFault(facts) ?? versionFault(facts) ?? none };
        }),
      (report) => shown.publish({ type: 'host-settled', report }),
    );
    await shown.end();
    const users = new Map(hosts.map((host) => [host.host, host.user]));
    const rows = [...reports, ...unsupported].map((report) =>
      rowOf(report, users.get(report.host) ?? '', described.get(report.host), found.get(report.host)),
    );
    if (flags.output === 'table') shown.out.write(doctorTable(rows, shown.out, { verbose: flags.verbose ?? false }));
    else {
      const document = rows.map((row) => ({ ...row, troubles: troublesOf(row) }));
      shown.out.write(`${visibleJson({ schema: 'fleetmask.doctor/1', hosts: document }, 2)}\n`);
    }
    return reports.every((report) => report.fault === null) ? EXIT.ok : EXIT.untouched;
  } finally {
    transport.close();
  }
}

interface Found {
  readonly facts: Facts;
  readonly rollbacks: readonly string[];
  readonly clockSkew: number | null;
}

/** The same transport, which notes how each connection came about. */
function noting(transport: Transport, described: Map<string, Description>): Transport {
  return {
    async connect(target, signal) {
      const connected = await transport.connect(target, signal);
      if ('connection' in connected) described.set(target.host, connected.connection.description);
      return connected;
    },
    close: () => transport.close(),
  };
}

/**
 * Seconds by which the host is ahead; 0 when what it says may be the truth. It read its clock, in whole seconds, at some
 * moment between question and answer (milliseconds by ours).
 */
export function skewOf(time: number | null, asked: number, answered: number): number | null {
  if (time === null) return null;
  const earliest = Math.floor(asked / 1000);
  const latest = Math.floor(answered / 1000);
  if (time < earliest) return time - earliest;
  return time > latest ? time - latest : 0;
}

function rowOf(
  { host, address, port, os, systemd, seconds, fault }: HostReport,
  user: string,
  description: Description | undefined,
  found: Found | undefined,
): DoctorRow {
  const state = found?.facts.systemd;
  return {
    host,
    user,
    address,
    port,
    hostKey: description?.hostKey ?? null,
    strictKex: description?.strictKex ?? null,
    login: description?.auth ?? null,
    privilege: found?.facts.privilege ?? null,
    os,
    systemd,
    systemdState: state?.kind === 'running' ? state.state : null,
    clockSkew: found?.clockSkew ?? null,
    ...(found && found.rollbacks.length > 0 && { rollbacks: found.rollbacks }),
    seconds,
    fault,
  };
}
