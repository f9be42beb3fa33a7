/**
 * `audit: syslog`: what was done to which hosts is also in this machine's log, under the tag fleetmask: a line when a run begins, one
 * for each host that it changed or may have changed, and one when it ends. Each host has a line of its own besides (audit.sh).
 */
import { type HostReport, type Outcome, printable, type RunInfo } from '../model/index.ts';
import { runWithin } from '../ssh-config/run-program.ts';
import type { Io } from './io.ts';

const CHANGED: ReadonlySet<Outcome> = new Set([
  'masked',
  'unmasked',
  'restored',
  'rolled-back',
  'stranded',
  'forgotten',
]);
const MAX_VALUE = 300;

/** Each returns why the lines could not be written; null where they were, or where none are wanted. */
export interface AuditLog {
  begun(hosts: number): Promise<string | null>;
  ended(reports: readonly HostReport[], exitCode: number): Promise<string | null>;
}

export function auditLog(io: Io, run: RunInfo): AuditLog {
  const { id, actor, command, units, reason, ticket } = run;
  const about = { run: id, actor, command, reason: reason ?? '', ticket: ticket ?? '' };
  const asked = { ...about, units: units.join(' ') };
  const send = async (lines: readonly string[]): Promise<string | null> => {
    const why = io.audit === 'syslog' ? await toSyslog(io, lines) : null;
    return why && `audit: logger did not take what run ${id} did (${why})`;
  };
  return {
    begun: (hosts) => send([line('begun', { ...asked, hosts })]),
    ended: (reports, exit) => {
      const changed = reports.filter(({ outcome }) => CHANGED.has(outcome));
      const lines = changed.map(({ host, address, outcome, units: its }) =>
        line(outcome, { host, address, ...about, units: its.map(({ unit }) => unit).join(' ') }),
      );
      return send([...lines, line('ended', { ...asked, hosts: reports.length, changed: changed.length, exit })]);
    },
  };
}

/** Nothing that anybody wrote ends a line or a value. */
function line(what: string, values: Readonly<Record<string, string | number>>): string {
  const words = Object.entries(values)
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `${key}=${JSON.stringify(printable(String(value), MAX_VALUE))}`);
  return [what, ...words].join(' ');
}

/** Returns why it could not be written, in a few words. */
async function toSyslog(io: Io, lines: readonly string[]): Promise<string | null> {
  const ended = await runWithin('logger', ['-t', 'fleetmask', '-p', 'authpriv.notice'], {
    env: io.env,
    timeoutMs: 30_000,
    maxBytes: 100_000,
    input: `${lines.join('\n')}\n`,
  });
  if (ended.is === 'not-run') return ended.error.code ?? ended.error.message;
  if (ended.is !== 'ended') return ended.is;
  return ended.code === 0 ? null : `exit status ${ended.code}`;
}
