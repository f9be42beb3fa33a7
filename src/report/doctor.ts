import { cannotExpire, type Fault, type HostReport, type Privilege } from '../model/index.ts';
import { explain, styleOf } from './explain.ts';
import type { Failure } from './failure.ts';
import { countHosts, group, labelHosts, nameHosts } from './hosts.ts';
import type { Screen } from './output.ts';
import { prose } from './prose.ts';
import { distro, NONE } from './state.ts';
import { type Column, renderTable } from './table.ts';

/** One host as `doctor` found it; null: it did not get that far. */
export interface DoctorRow {
  readonly host: string;
  readonly user: string;
  readonly address: string;
  readonly port: number;
  /** Type of its host key, which is known or was accepted. */
  readonly hostKey: string | null;
  /** Whether the connection is safe from Terrapin (CVE-2023-48795). */
  readonly strictKex: boolean | null;
  /** What let us in, in order; `identity` tells a key's type, fingerprint and source. */
  readonly login: readonly { readonly method: string; readonly identity: string | null }[] | null;
  readonly privilege: Privilege | null;
  readonly os: HostReport['os'];
  readonly systemd: number | null;
  /** As `systemctl is-system-running` says: `running`, `degraded` … */
  readonly systemdState: string | null;
  /** Seconds by which its clock is ahead of ours. */
  readonly clockSkew: number | null;
  /** Automatic rollbacks that failed, or can only fail, in a sentence each; absent: none. */
  readonly rollbacks?: readonly string[];
  readonly seconds: number;
  readonly fault: Fault | null;
}

/** Something that does not keep a host from being worked on, and should be looked at. */
export interface Trouble {
  readonly message: string;
  readonly hint: string;
}

/** More than this makes receipts, journals and logs hard to compare. */
const SKEW_TOLERATED_S = 5;

export function troublesOf({ systemd, systemdState, clockSkew, strictKex, rollbacks = [] }: DoctorRow): Trouble[] {
  const hint = 'Look at it there, then roll back the run: `fleetmask rollback RUN`.';
  const troubles: Trouble[] = rollbacks.map((message) => ({ message, hint }));
  if (systemdState !== null && systemdState !== 'running') {
    troubles.push({
      message: `systemd is ${systemdState}`,
      hint: systemdState === 'degraded' ? 'Look at `systemctl --failed` there.' : 'Wait until it has settled.',
    });
  }
  const unable = systemd === null ? null : cannotExpire(systemd);
  if (unable !== null)
    troubles.push({ message: unable, hint: 'Omit --expires there, and roll the run back yourself.' });
  if (clockSkew !== null && Math.abs(clockSkew) > SKEW_TOLERATED_S) {
    troubles.push({
      message: `its clock is ${Math.abs(clockSkew)} s ${clockSkew > 0 ? 'ahead' : 'behind'}`,
      hint: 'Look at its time synchronisation (`timedatectl`); receipts on it will not agree with the journal here.',
    });
  }
  if (strictKex === false) {
    troubles.push({
      message: 'its SSH server lacks strict key exchange (CVE-2023-48795, Terrapin)',
      hint: 'Update its SSH server.',
    });
  }
  return troubles;
}

export interface DoctorOptions {
  /** Every host by itself, with its address. */
  readonly verbose: boolean;
}

/** Up to so many hosts each has a row of its own. */
const FOLD_ABOVE = 40;

/** `doctor`: who can be logged in to, and what is there; then what fails, what should be looked at, and the totals. */
export function doctorTable(rows: readonly DoctorRow[], screen: Screen, { verbose }: DoctorOptions): string {
  const sorted = rows.toSorted((a, b) => rank(a) - rank(b));
  const fold = !verbose && rows.length > FOLD_ABOVE;
  const groups = fold ? group(sorted, content) : sorted.map((row) => [row]);
  const naming = verbose ? 'all' : 'some';
  const failures = sorted.flatMap(({ host, address, fault }): Failure[] =>
    fault === null ? [] : [{ host, address, fault, style: styleOf(fault, 'caution') }],
  );
  const troubles = sorted.flatMap((row): Failure[] =>
    troublesOf(row).map((trouble) => ({
      host: row.host,
      address: row.address,
      fault: { kind: 'trouble', ...trouble },
      style: 'quiet',
    })),
  );
  const ready = rows.filter(({ fault }) => fault === null).length;
  const folded = groups.length < rows.length ? ' (-v shows each host)' : '';
  return [
    renderTable(verbose ? VERBOSE : COLUMNS, groups, screen),
    identities(sorted, screen, naming),
    explain(troubles, screen, naming),
    explain(failures, screen, naming),
    prose([{ text: `${countHosts(rows.length)}: ${ready} ready, ${rows.length - ready} not${folded}` }], screen),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

/** Failures last, where an eye is when the prompt returns. */
function rank(row: DoctorRow): number {
  if (row.fault !== null) return 2;
  return troublesOf(row).length > 0 ? 1 : 0;
}

/** Everything that a row shows but its name. */
function content(row: DoctorRow): string {
  return JSON.stringify(COLUMNS.slice(1).map(({ of }) => of([row])));
}

/** A line for each key, or set of keys, that let us in: `web1, web2 (+8 more) by ssh-ed25519 SHA256:… from …`. */
function identities(rows: readonly DoctorRow[], screen: Screen, naming: 'all' | 'some'): string {
  const keyed = rows.flatMap(({ host, login }) => {
    const by = (login ?? []).flatMap(({ identity }) => identity ?? []).join(', then ');
    return by === '' ? [] : [{ host, by }];
  });
  return group(keyed, ({ by }) => by)
    .map((same) => {
      const hosts = same.map(({ host }) => host);
      return prose([{ text: `${nameHosts(hosts, naming)} by ${same[0]!.by}`, style: 'quiet' }], screen);
    })
    .join('');
}

type Group = readonly DoctorRow[];

function first<T>(of: (row: DoctorRow) => T): (group: Group) => T {
  return (rows) => of(rows[0]!);
}

const HOST: Column<Group> = {
  title: 'host',
  of: (rows) => labelHosts(rows.map(({ host }) => host)),
  as: 'name',
  min: 8,
};
const LOGIN: Column<Group> = {
  title: 'login',
  of: first(({ user, login }) => `${user}${methods(login)}`),
  as: 'text',
  rank: 1,
  min: 8,
};
const ADDRESS: Column<Group> = {
  title: 'address',
  of: first(({ address, port }) => `${address}${port === 22 ? '' : ` port ${port}`}`),
  as: 'name',
  min: 12,
};
const REST: readonly Column<Group>[] = [
  {
    title: 'key',
    of: first(({ hostKey }) => (hostKey ?? NONE).replace(/^ssh-|^ecdsa-sha2-/, '')),
    as: 'text',
    rank: 0,
    min: 7,
  },
  { title: 'root', of: first(({ privilege }) => privilege?.kind ?? NONE), as: 'word', min: 4 },
  { title: 'distro', of: first(distro), as: 'text', rank: 0, min: 6 },
  {
    title: 'systemd',
    of: first(({ systemd, systemdState }) =>
      systemd === null ? NONE : `${systemd}${systemdState === 'running' ? '' : ` ${systemdState}`}`,
    ),
    as: 'text',
    rank: 3,
    min: 8,
  },
  { title: 'clock', of: first(({ clockSkew }) => skew(clockSkew)), as: 'word', align: 'right', min: 5 },
  {
    title: 'result',
    of: first((row) => {
      if (row.fault !== null) return { text: row.fault.kind, style: 'caution' };
      return troublesOf(row).length > 0 ? { text: 'ok, but', style: 'caution' } : { text: 'ok', style: 'good' };
    }),
    as: 'word',
    min: 6,
  },
];
const COLUMNS: readonly Column<Group>[] = [HOST, LOGIN, ...REST];
const VERBOSE: readonly Column<Group>[] = [HOST, ADDRESS, LOGIN, ...REST];

/** ` by key`, ` by key and password`. */
function methods(login: DoctorRow['login']): string {
  if (login === null || login.length === 0) return '';
  return ` by ${login.map(({ method }) => (method === 'publickey' ? 'key' : method)).join(' and ')}`;
}

function skew(seconds: number | null): string {
  if (seconds === null) return NONE;
  return `${seconds > 0 ? '+' : ''}${seconds} s`;
}
