import { fault, type HostReport, type Privilege } from '../../model/index.ts';
import { systemdFault } from '../../plan/assemble.ts';
import { type DoctorRow, doctorTable, visibleJson } from '../../report/index.ts';
import { acrossFleet } from '../../run/fleet.ts';
import { visit } from '../../run/visit.ts';
import { command } from '../command.ts';
import { crewOf } from '../crew.ts';
import { EXIT } from '../exit.ts';
import { connection, output, selection } from '../options.ts';
import { screens } from '../screen.ts';
import { targetsOf } from '../targets.ts';

export const doctor = command({
  name: 'doctor',
  usage: 'doctor',
  describe: 'can we log in, become root, and is systemd there? Touches nothing',
  examples: [['fleetmask doctor -i hosts.yaml -l all', 'exit 0: every host is ready; 4: some are not']],
  options: { ...selection, ...connection, ...output },
  run: async (io, flags) => {
    const hosts = await targetsOf(io, flags);
    const shown = screens(io, { ...flags, output: 'table' });
    const crew = await crewOf(io, flags, hosts, {
      warning: (text) => shown.publish({ type: 'warning', text }),
      progress: (host, step) => shown.publish({ type: 'host-step', host, step }),
    });
    const privileges = new Map<string, Privilege>();
    const reports = await acrossFleet(
      hosts,
      flags.forks,
      new AbortController().signal,
      (host) =>
        visit(host, crew, [], async ({ facts }) => {
          privileges.set(host.host, facts.privilege);
          const none =
            facts.privilege.kind === 'none' ? fault('no-privilege', facts.privilege.why, facts.privilege.hint) : null;
          return { outcome: 'unchanged', units: [], fault: systemdFault(facts) ?? none };
        }),
      (report) => shown.publish({ type: 'host-settled', report }),
    );
    crew.transport.close();
    await shown.end();
    const users = new Map(hosts.map((host) => [host.host, host.user]));
    const rows = reports.map((report) =>
      rowOf(report, users.get(report.host) ?? '', privileges.get(report.host) ?? null),
    );
    if (flags.output === 'table') shown.out.write(doctorTable(rows, shown.out));
    else shown.out.write(`${visibleJson({ schema: 'fleetmask.doctor/1', hosts: rows }, 2)}\n`);
    return rows.every((row) => row.fault === null) ? EXIT.ok : EXIT.untouched;
  },
});

function rowOf(
  { host, address, port, os, systemd, seconds, fault }: HostReport,
  user: string,
  privilege: Privilege | null,
): DoctorRow {
  return { host, user, address, port, os, systemd, privilege, seconds, fault };
}
