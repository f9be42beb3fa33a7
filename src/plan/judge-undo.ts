/** Evidence → whether a host is as it was before the run. */
import {
  baseOf,
  type Change,
  type Evidence,
  type Fault,
  fault,
  isRunning,
  type Prior,
  type PriorState,
  templateOf,
  type UnitFacts,
} from '../model/index.ts';
import { byId, byName, groups, once } from './by-name.ts';
import { refusalOf } from './host-refusal.ts';
import { said, whyFailed } from './reasons.ts';

/** What the read-back after an undo still lacks; null when the host is as it was. */
export function judgeUndo(change: Change, prior: Prior, evidence: Evidence): Fault | null {
  const refused = refusalOf(evidence);
  if (refused) return refused.kind === 'locked' ? refused : fault('not-restored', refused.message);
  const [foreign] = evidence.foreign;
  if (foreign) {
    const aside = change.displaces.includes(foreign) ? '; what was there before lies beside it, hidden, as …orig' : '';
    return fault('not-restored', `${foreign} was made anew by somebody else and was left alone${aside}`);
  }
  const masks = new Set(evidence.paths.filter((path) => path.kind === 'null').map((path) => path.path));
  const stays = change.links.find((path) => masks.has(path));
  if (stays && evidence.receipt && evidence.lacking.includes(stays)) {
    return fault(
      'not-restored',
      `${stays} is still there, and the receipt on the host does not name it any more`,
      UNKNOWN,
    );
  }
  if (stays) {
    return evidence.receipt
      ? fault('not-restored', `${stays} is still there`, KEPT)
      : fault('not-restored', `${stays} is still there, and the host has no receipt of it`, UNKNOWN);
  }
  // without a receipt the run's link went before, and this is somebody's own affair
  const links = new Set(change.links);
  const taken = evidence.receipt && evidence.paths.find(({ path }) => links.has(path));
  if (taken) return fault('not-restored', `${taken.path} was put there by somebody else and was left alone`, MEANT);
  const gone = change.removes.find((path) => !masks.has(path));
  if (gone) return fault('not-restored', `${gone} is not back`);
  const lying = new Set(
    evidence.paths.filter(({ kind }) => kind === 'file' || kind === 'link').map(({ path }) => path),
  );
  const lost = change.displaces.find((path) => !lying.has(path));
  if (lost) return fault('not-restored', `the unit file ${lost} is not back`);
  const maskOf = groups([...masks], baseOf);
  const unmaskedSince = new Set(masksGone(change, prior, evidence).map(baseOf));
  for (const state of prior.states) {
    const units = evidence.units;
    const isNamed = state.load === 'not-found' || state.load === '';
    const now = byId(units).get(state.id) ?? (isNamed ? byName(units).get(state.id) : undefined);
    const difference = differenceTo(state, now, prior, unmaskedSince, evidence) ?? stillToQueue(state, now, evidence);
    const mask = state.load === 'masked' ? undefined : maskOf.get(state.id)?.[0];
    const by = mask === undefined ? '' : ` (${mask})`;
    if (difference) return fault('not-restored', `${difference}${by}`, hintOn(now));
  }
  if (evidence.unread) return fault('not-restored', 'systemd did not show all units after the rollback');
  const [lacking] = evidence.lacking;
  if (lacking) return fault('not-restored', `the host could not verify ${lacking}`, UNPROVED);
  // what systemd has read is not what lies there: that holds until anybody reloads
  const reload = evidence.steps.find(({ name, status }) => name === 'reload' && status !== 0);
  return reload
    ? fault('not-restored', `systemd could not reload: ${said(reload) || `status ${reload.status}`}`)
    : null;
}

const KEPT =
  'Look for what keeps it there (read-only file system, immutable flag); then `fleetmask recover` puts the host back.';
const UNKNOWN =
  'Nothing tells whose mask it is. Remove it by hand (`fleetmask unmask`) if it is not meant to stay; then `fleetmask recover` settles this host.';
const UNPROVED =
  'The host keeps the receipt of the run: look at the unit there; then `fleetmask recover` rolls the host back.';
const MEANT = 'If it is meant to stay, nothing is left to do: `fleetmask recover` settles this host.';

/**
 * Masks from before a run that somebody else, also the automatic rollback of another run, has removed since: the run neither removed
 * nor lifted them, so they are not for its undo to bring back.
 */
export function masksGone({ removes, displaces }: Change, { masks }: Prior, { steps, paths }: Evidence): string[] {
  const there = new Set(paths.map(({ path }) => path));
  const touched = new Set([...removes, ...displaces]);
  for (const { name } of steps) if (/^(?:lift|relink):/.test(name)) touched.add(name.slice(name.indexOf(':') + 1));
  return masks.filter((path) => !there.has(path) && !touched.has(path));
}

function differenceTo(
  state: PriorState,
  now: UnitFacts | undefined,
  prior: Prior,
  unmaskedSince: ReadonlySet<string>,
  { logged }: Evidence,
): string | null {
  if (!now) return `${state.id} was not read back`;
  if (state.load === 'masked' && now.load !== 'masked' && isAmong(unmaskedSince, state.id)) {
    // a socket under a mask is closed, and active in name: without that mask nobody opens it
    if (state.id.endsWith('.socket')) return null;
    return stays(state.active) && !stays(now.active) ? `${state.id} was ${state.active} and is ${now.active}` : null;
  }
  // a mask that nobody had made systemd read yet is read by any reload: that is not ours to undo
  const maskUnread = state.load !== 'masked' && maskedBefore(prior).has(state.id);
  // so it is with any file that lay there unread, and with one that a package brought for a unit that was absent
  const absent = state.load === 'not-found' && now.load !== 'masked';
  const unread = maskUnread || absent || (state.unread && now.load !== 'masked');
  if (state.load !== '' && now.load !== state.load && !unread)
    return `${state.id} was ${state.load} and is ${now.load}`;
  if (absent && !stays(state.active)) return null;
  if (state.file !== '' && now.file !== state.file) return `${state.id} was ${state.file} and is ${now.file}`;
  // a job that was starting then may be done by now
  if (state.active === 'activating' && now.active === 'inactive' && now.load !== 'masked') return null;
  // it was about to change: queued again, it may have come as far as it will
  if (state.queued === 'start' && !stays(state.active)) return null;
  if (state.queued === 'stop' && !stays(now.active)) return null;
  // what started it before may have started it again
  const woken = now.busName !== '' || now.triggeredBy.some((name) => stays(byId(prior.states).get(name)?.active ?? ''));
  if (stays(now.active) && !stays(state.active) && woken && now.load !== 'masked') return null;
  // it ended, and is only waiting to be tried once more
  const loops = state.active === 'active' && now.active === 'activating' && now.sub.startsWith('auto-restart');
  if (loops) return `${state.id} was active and starts over and over${whyFailed(now, logged)}`;
  if (stays(state.active) === stays(now.active)) return null;
  const why = stays(now.active) ? '' : whyFailed(now, logged);
  return `${state.id} was ${state.active} and is ${now.active}${why}`;
}

/** A start that waited must wait again, or be over. */
function stillToQueue(state: PriorState, now: UnitFacts | undefined, { steps }: Evidence): string | null {
  if (!now || state.queued !== 'start' || stays(state.active) || stays(now.active) || now.queued === 'start')
    return null;
  if (steps.some(({ name, status }) => name === 'queue' && status === 0)) return null;
  return `${state.id} was to be started and is ${now.active}`;
}

const maskedBefore = once(({ masks }: Prior) => new Set(masks.map(baseOf)));

/** A start waits for the end of a stop that is under way. */
function hintOn(now: UnitFacts | undefined): string | undefined {
  if (now?.active !== 'deactivating' || now.load === 'masked') return undefined;
  return 'It is started when its stop has ended (TimeoutStopSec= at the latest); then `fleetmask recover` of the run settles this host.';
}

/** Under its own name or that of its template. */
function isAmong(names: ReadonlySet<string>, id: string): boolean {
  return names.has(id) || names.has(templateOf(id) ?? '');
}

/** What is on its way out is not down yet, but does not run as it did either. */
function stays(active: string): boolean {
  return isRunning(active) && active !== 'deactivating';
}
