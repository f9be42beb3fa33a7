/** A host is called, probed, and handed over with its facts; what fails before that is an outcome of an untouched host. */
import {
  type Facts,
  type Fault,
  fault,
  type HostReport,
  type JournalHost,
  type Outcome,
  type Secret,
  type Step,
  type UnitReport,
} from '../../model/index.ts';
import type { Guardrails } from '../../plan/guardrails.ts';
import { type Escalation, firstCommand } from '../../remote/escalate.ts';
import type { HostPassword } from '../../remote/password-dialogue.ts';
import type { Wish } from '../../remote/requests.ts';
import { openSession, type Reply, type Session } from '../../remote/session.ts';
import type { Connection, Transport } from '../../transport/transport.ts';

/** What every host of a run is given. */
export interface Crew {
  readonly transport: Transport;
  readonly clock: Clock;
  /** For becoming root, on hosts that have one. */
  becomePassword?(host: JournalHost): HostPassword | undefined;
  /** What this host may be told, and repeat. */
  secretsFor?(host: JournalHost): readonly Secret[];
  /** Milliseconds for everything on one host up to the verdict. */
  readonly hostTimeout: number;
  /** Milliseconds for rolling one host back after that, calls to a lost host included; absent: ROLLBACK_MS. */
  readonly rollbackTimeout?: number;
  /** What may be masked; absent: everything. */
  readonly guardrails?: Guardrails;
  /** What the probe of each host is asked besides; absent: nothing. */
  readonly wishes?: readonly Wish[];
  progress(host: string, step: Step): void;
}

/** The only time there is, so that a run can be simulated. */
export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number;
  /** UTC, RFC 3339. */
  date(): string;
  /** Aborts after so many milliseconds. */
  deadline(ms: number): AbortSignal;
  /** Ends early, and quietly, when `until` aborts. */
  sleep(ms: number, until?: AbortSignal): Promise<void>;
}

export interface Ending {
  readonly outcome: Outcome;
  readonly units: readonly UnitReport[];
  readonly fault: Fault | null;
  readonly confirmBy?: string;
  readonly expiresAt?: string;
  readonly switchOf?: string;
  readonly rolledBackAt?: string;
}

/** Long enough for a unit that takes its 90 s to stop before it can be started again, and for a host that boots. */
export const ROLLBACK_MS = 150_000;
/** How long a host that does not answer is called again where a person asked for it, and can ask again: a boot passes in it. */
export const CALL_MS = 60_000;

/**
 * Connects, probes, and hands over to `then`; whatever went wrong before the hand-over is an outcome of an untouched host.
 * The connection is closed when this settles. `patience`: milliseconds for which a host that does not answer is called again.
 */
export async function visit(
  host: JournalHost,
  crew: Crew,
  names: readonly string[],
  then: (session: Session, deadline: AbortSignal, until: number) => Promise<Ending>,
  patience = 0,
): Promise<HostReport> {
  const started = crew.clock.now();
  const until = started + crew.hostTimeout;
  const deadline = crew.clock.deadline(crew.hostTimeout);
  const report = (ending: Ending, facts: Facts | null): HostReport => ({
    host: host.host,
    address: host.address,
    port: host.port,
    outcome: ending.outcome,
    seconds: Math.round(crew.clock.now() - started) / 1000,
    os: facts && { id: facts.os.id, version: facts.os.version, name: facts.os.name },
    systemd: facts?.systemd.kind === 'running' ? facts.systemd.version : null,
    units: ending.units,
    fault: ending.fault,
    ...(ending.confirmBy && { confirmBy: ending.confirmBy }),
    ...(ending.expiresAt && { expiresAt: ending.expiresAt }),
    ...(ending.switchOf && { switchOf: ending.switchOf }),
    ...(ending.rolledBackAt && { rolledBackAt: ending.rolledBackAt }),
  });
  const opened = await callUntil(host, crew, names, deadline, started + Math.min(patience, crew.hostTimeout));
  if (opened.kind === 'fault') return report(untouched(opened.fault), null);
  const { session, connection } = opened.value;
  try {
    return report(await then(session, deadline, until), session.facts);
  } finally {
    session.end();
    connection.close();
  }
}

function untouched(problem: Fault): Ending {
  const refused = ['no-shell', 'bad-reply', 'no-privilege'].includes(problem.kind);
  const outcome: Outcome = refused ? 'refused' : 'unreachable';
  return { outcome, units: [], fault: problem };
}

/** Connects and starts the program on the host. */
export async function call(
  host: JournalHost,
  crew: Crew,
  names: readonly string[],
  deadline: AbortSignal,
): Promise<Reply<{ session: Session; connection: Connection }>> {
  crew.progress(host.host, 'connecting');
  const escalation = escalationOf(host, crew);
  const connected = await crew.transport.connect(host, deadline, firstCommand(escalation));
  if ('fault' in connected) return { kind: 'fault', fault: connected.fault };
  const { connection } = connected;
  crew.progress(host.host, 'probing');
  const opened = await openSession(connection, escalation, names, deadline, crew.wishes, crew.secretsFor?.(host));
  if (opened.kind === 'answer') return { kind: 'answer', value: { session: opened.value, connection } };
  connection.close();
  // nothing was begun yet: a connection that broke here is a host that could not be reached
  const { kind, message } = opened.fault;
  return {
    kind: 'fault',
    fault: kind === 'lost' ? fault('unreachable', `lost while probing: ${message}`) : opened.fault,
  };
}

/** Calls until the host answers, refuses, or `giveUp` has come, by the clock. */
export async function callUntil(
  host: JournalHost,
  crew: Crew,
  names: readonly string[],
  deadline: AbortSignal,
  giveUp: number,
): ReturnType<typeof call> {
  for (let pause = FIRST_PAUSE_MS; ; ) {
    const opened = await call(host, crew, names, deadline);
    const over = opened.kind === 'answer' || !mayPass(opened.fault) || crew.clock.now() + pause > giveUp;
    if (over) return opened;
    await crew.clock.sleep(pause);
    pause = pauseAfter(pause, opened.fault);
  }
}

export const FIRST_PAUSE_MS = 500;
/** A host that is up again is not to wait: what is left of its time is for its rollback. */
const LONGEST_PAUSE_MS = 5_000;

/** Pauses double; up to a limit where waiting may help, and without one where the host refused us, or accounts would be locked. */
export function pauseAfter(pause: number, problem: Fault): number {
  return mayPass(problem) ? Math.min(2 * pause, LONGEST_PAUSE_MS) : 2 * pause;
}

/** What ends with a restart of sshd, a boot, a crowd of logins, a fault of the network, or the work of another run. */
function mayPass({ kind }: Fault): boolean {
  return kind === 'unreachable' || kind === 'timed-out' || kind === 'lost' || kind === 'locked';
}

/** doas takes no password without a terminal. */
function escalationOf(host: JournalHost, crew: Crew): Escalation {
  const { become } = host;
  const password = become === 'never' || become === 'doas' ? undefined : crew.becomePassword?.(host);
  return password === undefined ? become : { method: become === 'su' ? 'su' : 'sudo', password };
}
