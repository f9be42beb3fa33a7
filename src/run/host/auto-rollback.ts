/** The switch of a host as its run sees it: ordered before the change, and proved to be the host's own way back after it. */
import {
  type Ask,
  baseOf,
  cannotExpire,
  type Facts,
  type Fault,
  fault,
  type HostReport,
  type JournalHost,
  type SwitchEnd,
  type SwitchOrder,
  type SwitchState,
  type UnitReport,
} from '../../model/index.ts';
import type { Session } from '../../remote/session.ts';
import { type Clock, type Crew, callUntil, type Ending } from './visit.ts';

/** What is asked of every host of a run. At least one of the two is there. */
export interface SwitchAsk {
  /** Seconds. */
  readonly confirmWithin: number | null;
  /** Milliseconds since 1970, by our clock. */
  readonly expiresAt: number | null;
}

/** Below this, what a journey takes may look like a clock that is off. Seconds. */
const SKEW = 30;

/** With what the probe must tell for it. */
export function clocked(crew: Crew, ask: SwitchAsk | undefined): Crew {
  return ask?.expiresAt == null ? crew : { ...crew, wishes: [...(crew.wishes ?? []), 'clock=yes'] };
}

/** The same for this host, whose clock may be off: what counts is how long it is until then. */
export function orderOf(ask: SwitchAsk | undefined, facts: Facts, clock: Clock): SwitchOrder | null {
  if (ask === undefined) return null;
  const { confirmWithin, expiresAt } = ask;
  return { confirmWithin, expires: expiresAt === null ? null : hostTime(expiresAt, facts, clock) };
}

/** Why a host's systemd cannot do what is ordered: nothing may be changed there for it. */
export function unableTo(order: Pick<SwitchAsk, 'expiresAt'> | undefined, { systemd }: Facts): Fault | null {
  if (order?.expiresAt == null || systemd.kind !== 'running') return null;
  const why = cannotExpire(systemd.version);
  return why === null ? null : fault('not-armed', why, 'Omit --expires on this host, and roll the run back yourself.');
}

/** One of our times, in ms, as seconds of the host's clock. */
export function hostTime(ms: number, { time }: Pick<Facts, 'time'>, clock: Clock): number {
  const ours = Date.parse(clock.date());
  return Math.round(time === null ? ms / 1000 : time + (ms - ours) / 1000);
}

/** A host's time, in seconds, by our clock. */
export function ourTime(seconds: number, { time }: Pick<Facts, 'time'>, clock: Clock): string {
  const ms = time === null ? seconds * 1000 : Date.parse(clock.date()) + (seconds - time) * 1000;
  return rfc3339(ms);
}

/** The host's clock tells it when the time is up, and may yet be set right. */
export function noteSkew(units: readonly UnitReport[], { time }: Facts, clock: Clock): UnitReport[] {
  const skew = time === null ? 0 : Math.round(time - Date.parse(clock.date()) / 1000);
  if (Math.abs(skew) < SKEW) return [...units];
  const note = `the host’s clock is ${Math.abs(skew)} s ${skew > 0 ? 'ahead' : 'behind'}; its expiry moves when that is set right`;
  return units.map((unit, index) => (index === 0 ? { ...unit, notes: [...unit.notes, note] } : unit));
}

/**
 * What was as asked before the run has no automatic rollback of this run: nothing will expire there, which whoever set a time is
 * told.
 */
export function noteUncovered<U extends { readonly unit: string; readonly notes: readonly string[] }>(
  units: readonly U[],
  { verb }: Pick<Ask, 'verb'>,
  order: SwitchAsk | undefined,
  touched: readonly string[],
): U[] {
  if (order === undefined) return [...units];
  const names = new Set(touched.map(baseOf));
  const flags = [
    ...(order.expiresAt === null ? [] : ['--expires']),
    ...(order.confirmWithin === null ? [] : ['--confirm-within']),
  ];
  const what = order.expiresAt === null ? 'roll back' : 'expire';
  const not = flags.length === 1 ? 'does' : 'do';
  const note = `was ${verb}ed before this run, so nothing will ${what} here: ${flags.join(' and ')} ${not} not apply to it`;
  return units.map((unit) => (names.has(unit.unit) ? unit : { ...unit, notes: [...unit.notes, note] }));
}

/** What a report says of the switch. `armedBy`: when it was armed at the latest, by our clock. */
export function times(ask: SwitchAsk | undefined, armedBy: string): Pick<HostReport, 'confirmBy' | 'expiresAt'> {
  return {
    ...(ask?.confirmWithin != null && { confirmBy: rfc3339(Date.parse(armedBy) + ask.confirmWithin * 1000) }),
    ...(ask?.expiresAt != null && { expiresAt: rfc3339(ask.expiresAt) }),
  };
}

/** The same as the host tells of it now. */
export function timesNow(session: Session, run: string, clock: Clock): Pick<HostReport, 'confirmBy' | 'expiresAt'> {
  const standing = standingOf(session, run);
  return standing === null ? {} : timesLeft(standing, session.facts, clock);
}

/** When a switch that stands so puts its host back, by our clock. */
export function timesLeft(
  { confirmLeft, expires }: SwitchState,
  facts: Facts,
  clock: Clock,
): Pick<HostReport, 'confirmBy' | 'expiresAt'> {
  return {
    ...(typeof confirmLeft === 'number' && { confirmBy: inSeconds(confirmLeft, clock) }),
    ...(expires !== null && { expiresAt: ourTime(expires, facts, clock) }),
  };
}

/** After what is said of a mask that a run holds: how long that holds it. */
export function untilOf(session: Session, run: string, clock: Clock): string {
  const { confirmBy, expiresAt } = timesNow(session, run, clock);
  const by = confirmBy ?? expiresAt;
  const when = by === undefined ? '' : `; ${sayRollback(by, confirmBy !== undefined, clock.date())}`;
  return unarmed(session, run) || when;
}

/** `by`, `now`: RFC 3339. */
export function sayRollback(by: string, unlessConfirmed: boolean, now: string): string {
  if (Date.parse(by) <= Date.parse(now)) return `its automatic rollback was due at ${by}`;
  return `its automatic rollback is at ${by}${unlessConfirmed ? ' unless it is confirmed' : ''}`;
}

/** The same where a switch was to end it and will not; else nothing. */
export function unarmed(session: Session, run: string): string {
  const standing = standingOf(session, run);
  if (standing !== null && isBroken(standing)) return `; ${sayBroken(standing)}`;
  const gone = standing?.timer === 'none' || standing?.timer === 'other';
  const awaited = standing?.confirmLeft != null || standing?.expires != null;
  return gone && awaited ? ', which was to take it back and has no timer that does' : '';
}

/** Of an automatic rollback that failed, or can only fail. */
export function sayBroken({ run, timer }: SwitchState): string {
  return timer === 'failed'
    ? `the automatic rollback of run ${run} failed (systemctl status fleetmask-undo-${run}.service there)`
    : `the host cannot read the record of run ${run}, so that its automatic rollback cannot complete`;
}

/** The same of every run on the host, also of those whose receipt is gone. */
export function brokenOn({ switches }: Session): string[] {
  return switches.filter(isBroken).map(sayBroken);
}

function isBroken({ timer }: SwitchState): boolean {
  return timer === 'failed' || timer === 'unreadable' || timer === 'lost';
}

/** What `status` says of them, whether they hold one of these units or not. */
export function noteBroken(units: readonly UnitReport[], session: Session): UnitReport[] {
  const broken = brokenOn(session);
  return units.map((unit, index) => {
    const news = index === 0 ? broken.filter((text) => !unit.notes.some((note) => note.includes(text))) : [];
    return news.length === 0 ? unit : { ...unit, notes: [...unit.notes, ...news] };
  });
}

/** Of the runs that masked these units and are to be taken back by a switch, the one whose turn comes first. */
export function timesOfUnits(
  session: Session,
  units: readonly UnitReport[],
  clock: Clock,
): Pick<HostReport, 'confirmBy' | 'expiresAt' | 'switchOf'> {
  const names = new Set(units.map(({ unit }) => unit));
  const runs = session.facts.receipts
    .filter(({ holds }) => holds.some((path) => names.has(baseOf(path))))
    .filter(({ run }) => standingOf(session, run)?.timer === 'waiting')
    .map(({ run }) => ({ ...timesNow(session, run, clock), switchOf: run }));
  const first = ({ confirmBy, expiresAt }: (typeof runs)[number]) => confirmBy ?? expiresAt ?? '';
  return runs.toSorted((a, b) => (first(a) < first(b) ? -1 : 1))[0] ?? {};
}

function inSeconds(seconds: number, clock: Clock): string {
  return rfc3339(Date.parse(clock.date()) + seconds * 1000);
}

/** To the second. */
export function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

export type Reached =
  | { readonly kind: 'reached'; readonly confirmBy: string | null }
  | { readonly kind: 'fault'; readonly fault: Fault };

/** A restart of sshd passes in this time; who is locked out is not to wait longer. */
const ANEW_MS = 15_000;

/**
 * Connects anew, over TCP and all, and looks for the armed switch. A host that does not answer is called again, for no more than
 * a third of the time that it has for a confirmation (`confirmWithin`, seconds). Faults: `cut-off` where the host cannot be reached or used
 * any more; `unanswered` where it asks something, as of every login, and nobody answers it well; `unconfirmed` where it has put itself back already; `not-armed` where it tells of no switch.
 */
export async function reachAnew(
  host: JournalHost,
  run: string,
  confirmWithin: number,
  crew: Crew,
  deadline: AbortSignal,
): Promise<Reached> {
  const giveUp = crew.clock.now() + Math.min(ANEW_MS, (confirmWithin * 1000) / 3);
  const opened = await callUntil(host, { ...crew, wishes: [`receipts=${run}`] }, [], deadline, giveUp);
  if (opened.kind === 'fault') {
    const { kind, message, hint } = opened.fault;
    // the host is as ready to let us in as before, and only the answer was missing
    if (kind === 'unanswered')
      return {
        kind: 'fault',
        fault: fault(kind, `the login that is to prove the change was not completed: ${message}`, hint),
      };
    return { kind: 'fault', fault: fault('cut-off', `a new connection after the change failed: ${message}`) };
  }
  const { session, connection } = opened.value;
  session.end();
  connection.close();
  const standing = standingOf(session, run);
  const left = standing?.confirmLeft ?? null;
  if (standing?.timer === 'waiting' && left !== null) {
    return { kind: 'reached', confirmBy: left === 'unknown' ? null : inSeconds(left, crew.clock) };
  }
  const late = endOf(session, run) !== null || left !== null;
  return {
    kind: 'fault',
    fault: late
      ? fault('unconfirmed', 'the time was up before the change was seen to hold')
      : fault('not-armed', 'after the change the host tells of no switch'),
  };
}

export function standingOf({ switches }: Session, run: string): SwitchState | null {
  return switches.find((each) => each.run === run) ?? null;
}

export function endOf({ ends }: Session, run: string): SwitchEnd | null {
  return ends.find((each) => each.run === run) ?? null;
}

/** For a host that was left changed, or may have been: when its automatic rollback is, as far as we know. */
export function leftToItself(ending: Ending, ask: SwitchAsk | undefined, armedBy: string, clock: Clock): Ending {
  if (ending.outcome !== 'stranded' || ask === undefined || ending.fault === null) return ending;
  const when = times(ask, armedBy);
  const promised = sayRollback((when.confirmBy ?? when.expiresAt)!, when.confirmBy !== undefined, clock.date());
  const { kind, message, hint } = ending.fault;
  return { ...ending, ...when, fault: fault(kind, `${message}; if the change began, ${promised}`, hint) };
}
