/** A host is called, probed, and handed over with its facts; what fails before that is an outcome of an untouched host. */
import {
  type Facts,
  type Fault,
  fault,
  type HostReport,
  type Outcome,
  type Secret,
  type Step,
  type UnitReport,
} from '../model/index.ts';
import { type Escalation, firstCommand } from '../remote/escalate.ts';
import type { HostPassword } from '../remote/password-dialogue.ts';
import type { Wish } from '../remote/protocol.ts';
import { openSession, type Reply, type Session } from '../remote/session.ts';
import type { Connection, Transport } from '../transport/transport.ts';
import type { JournalHost } from './journal.ts';

/** What every host of a run is given. */
export interface Crew {
  readonly transport: Transport;
  readonly clock: Clock;
  /** For becoming root, on hosts that have one. */
  becomePassword?(host: JournalHost): HostPassword | undefined;
  /** What this host may be told, and repeat. */
  secretsFor?(host: JournalHost): readonly Secret[];
  /** Milliseconds for everything on one host up to the verdict; putting it back gets UNDO_MS besides. */
  readonly hostTimeout: number;
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
}

/**
 * Connects, probes, and hands over to `then`; whatever went wrong before the hand-over is an outcome of an untouched host.
 * The connection is closed when this settles.
 */
export async function visit(
  host: JournalHost,
  crew: Crew,
  names: readonly string[],
  then: (session: Session, deadline: AbortSignal, until: number) => Promise<Ending>,
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
  });
  const opened = await call(host, crew, names, deadline);
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

/** doas takes no password without a terminal. */
function escalationOf(host: JournalHost, crew: Crew): Escalation {
  const { become } = host;
  const password = become === 'never' || become === 'doas' ? undefined : crew.becomePassword?.(host);
  return password === undefined ? become : { method: become === 'su' ? 'su' : 'sudo', password };
}
