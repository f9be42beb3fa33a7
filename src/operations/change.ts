/** mask, unmask, plan and apply: one flow with different ends. */

import { ledger } from '../journal/live-journal.ts';
import { stateOfRun } from '../journal/replay.ts';
import { createJournal, readJournal } from '../journal/store.ts';
import { type Ask, type HostReport, type JournalHost, UsageError } from '../model/index.ts';
import { budget, type Limits, waveProof } from '../plan/failure-budget.ts';
import { parseShare } from '../plan/host-count.ts';
import { parseQueryWith } from '../plan/resolve.ts';
import { parseWaves, waveSizes } from '../plan/waves.ts';
import type { SwitchAsk } from '../run/host/auto-rollback.ts';
import { plan, settle } from '../run/host/change.ts';
import { review } from '../run/overdue.ts';
import { type Planned, savedPlan } from '../run/saved-plan.ts';
import { type SwitchFlags, switchOf, termsOf } from './auto-rollback.ts';
import { offerToKeep } from './confirm.ts';
import type { CrewFlags } from './context/run-context.ts';
import { stateDir } from './context/state-directory.ts';
import { EXIT, graver } from './exit.ts';
import { newRun, type RunFlags, visitFleet } from './fleet-run.ts';
import { assertWithinGuardrails } from './guardrails.ts';
import type { Io } from './io.ts';
import { visitOnRecord } from './journaled-run.ts';
import { assertWayBack, type LockoutFlags } from './lockout.ts';
import type { OutputFlags } from './output.ts';
import { openPlanFile } from './plan-file.ts';
import { type SelectionFlags, selectionOf, type WayInFlags } from './targets/from-inventory.ts';
import { sealed } from './targets/recorded-connections.ts';

/** How a run goes through its hosts. */
export interface CourseFlags extends RunFlags, SwitchFlags, LockoutFlags {
  readonly rollback: 'host' | 'fleet' | 'none';
  readonly waves?: string | undefined;
  readonly 'max-fail'?: string | undefined;
  readonly 'max-unreachable'?: string | undefined;
}

export interface ChangeFlags extends SelectionFlags, WayInFlags, CrewFlags, OutputFlags, CourseFlags {
  readonly units?: readonly string[] | undefined;
  readonly check?: boolean | undefined;
  readonly yes?: boolean | undefined;
  readonly 'with-triggers'?: boolean | undefined;
  readonly 'with-members'?: boolean | undefined;
  readonly 'local-units'?: 'refuse' | 'displace' | undefined;
  readonly 'allow-absent'?: boolean | undefined;
  readonly 'skip-absent'?: boolean | undefined;
  readonly 'allow-lockout'?: boolean | undefined;
  readonly 'kill-leftovers'?: boolean | undefined;
  readonly 'no-start-probe'?: boolean | undefined;
}

/** What is asked of every host. Throws UsageError for flags that contradict each other and for what is no unit name. */
export function askOf(verb: Ask['verb'], flags: ChangeFlags): Ask {
  const units = [...new Set(flags.units ?? [])];
  if (flags['kill-leftovers'] && !flags.now) {
    throw new UsageError(
      '--kill-leftovers goes with --now',
      'Without --now the unit goes on running, and nothing is left over.',
    );
  }
  if (flags['skip-absent'] && flags['allow-absent']) {
    throw new UsageError(
      '--skip-absent and --allow-absent contradict each other',
      '--skip-absent leaves out units that are not installed; --allow-absent masks them all the same.',
    );
  }
  if (flags['skip-absent'] && verb === 'unmask') {
    throw new UsageError('--skip-absent goes with mask: unmask takes a unit that is not installed as it is');
  }
  if (flags['with-triggers'] && verb === 'unmask') {
    throw new UsageError(
      '--with-triggers goes with mask: of a masked socket or timer systemd does not know what it starts',
      'Name them too (fleetmask unmask cups.service cups.socket cups.path), or put the run back that masked them: fleetmask rollback RUN',
    );
  }
  return {
    verb,
    units,
    now: flags.now ?? false,
    runtime: flags.runtime ?? false,
    withTriggers: flags['with-triggers'] ?? false,
    withMembers: flags['with-members'] ?? false,
    localUnits: flags['local-units'] ?? 'refuse',
    allowAbsent: flags['allow-absent'] ?? false,
    skipAbsent: flags['skip-absent'] ?? false,
    killLeftovers: flags['kill-leftovers'] ?? false,
    startProbe: !flags['no-start-probe'],
    allowLockout: flags['allow-lockout'] ?? false,
  };
}

/** What may go wrong before the run stops. In waves the first failure stops it, unless --max-fail says otherwise. */
function limitsOf(flags: CourseFlags): Limits {
  const share = (flag: 'max-fail' | 'max-unreachable') => {
    const text = flags[flag];
    return text === undefined ? undefined : parseShare(`--${flag}`, text);
  };
  const unsaid = flags.waves === undefined ? undefined : parseShare('--max-fail', '0');
  return {
    maxFail: share('max-fail') ?? unsaid ?? (flags.rollback === 'fleet' ? 'no-failed-change' : undefined),
    maxUnreachable: share('max-unreachable'),
  };
}

/** What would be done, host by host; touches nothing. With `out`, the plan is kept for `apply`. */
export async function dryRun(io: Io, verb: Ask['verb'], flags: ChangeFlags, out?: string): Promise<number> {
  const ask = askOf(verb, flags);
  const queries = ask.units.map((unit) => parseQueryWith(io.catalogue, unit));
  const { hosts, unsupported } = await selectionOf(io, flags);
  const run = newRun(io, 'plan', ask.units, flags);
  const file = out === undefined ? undefined : openPlanFile(io, out);
  const planned = new Map<string, Planned>();
  try {
    return await visitFleet(io, {
      run,
      hosts,
      unsupported,
      flags,
      work: (host, crew) =>
        plan(host, ask, queries, crew, (found) => planned.set(host.host, found), switchOf(io, flags)),
      finish: async (reports) => {
        file?.save(savedPlan(run, ask, sealed(io, hosts), planned, reports));
        return null;
      },
    });
  } finally {
    file?.discard();
  }
}

export async function carryOut(io: Io, verb: Ask['verb'], flags: ChangeFlags): Promise<number> {
  const course = courseOf(io, flags);
  if (flags.check) return dryRun(io, verb, flags);
  assertWayBack({ allowLockout: flags['allow-lockout'] ?? false }, flags);
  const ask = askOf(verb, flags);
  if (flags.limit === undefined && flags.nodes === undefined) {
    throw new UsageError(
      'a change needs a limit: which hosts?',
      'Say -l PATTERN, or -l all for every host of the inventory; or -w with names.',
    );
  }
  return change(io, { ask, ...(await selectionOf(io, flags)), course, flags });
}

/** How the hosts get their turn, and what ends it. */
interface Course {
  readonly limits: Limits;
  readonly sizes: ReturnType<typeof parseWaves> | undefined;
  /** What hosts are to do by themselves. */
  readonly order: SwitchAsk | undefined;
}

/** Throws UsageError for waves, limits and times that are none. */
export function courseOf(io: Io, flags: CourseFlags): Course {
  const sizes = flags.waves === undefined ? undefined : parseWaves(flags.waves);
  return { limits: limitsOf(flags), sizes, order: switchOf(io, flags) };
}

export interface ChangeOfFleet {
  readonly ask: Ask;
  readonly hosts: readonly JournalHost[];
  readonly unsupported?: readonly HostReport[];
  readonly course: Course;
  /** By host, where a saved plan is carried out. */
  readonly saved?: ReadonlyMap<string, Planned>;
  readonly flags: CrewFlags & OutputFlags & CourseFlags & { readonly yes?: boolean | undefined };
}

/** Does what is asked to every host, on record. */
export async function change(
  io: Io,
  { ask, hosts, unsupported, course, saved, flags }: ChangeOfFleet,
): Promise<number> {
  assertWayBack(ask, flags);
  const waves = course.sizes && waveSizes(hosts.length, course.sizes);
  assertWithinGuardrails(io.guardrails, flags, hosts.length, waves);
  const queries = ask.units.map((unit) => parseQueryWith(io.catalogue, unit));
  const run = {
    ...newRun(io, ask.verb, ask.units, { ...flags, now: ask.now, runtime: ask.runtime }),
    ...(waves && { waves }),
    ...(course.order && termsOf(course.order)),
  };
  const rollback = flags.rollback === 'none' ? 'none' : 'host';
  const exitCode = await visitOnRecord(io, {
    run,
    hosts,
    unsupported,
    flags,
    budget: budget(course.limits, hosts.length),
    proof: course.sizes && waveProof(course.limits),
    whenSpent: flags.rollback === 'fleet' ? 'put-back' : 'keep',
    open: async () => {
      const { startedAt: at, actor } = run;
      const wayBack = flags.rollback === 'fleet' && { fleetRollback: course.limits };
      const start = {
        type: 'run',
        schema: 'fleetmask.journal/1',
        run,
        ask,
        hosts: sealed(io, hosts),
        ...wayBack,
      } as const;
      const opened = { type: 'opened', at, actor, command: ask.verb, by: io.controller } as const;
      return ledger(await createJournal(stateDir(io), start, opened), [start, opened]);
    },
    review:
      course.order?.confirmWithin == null
        ? undefined
        : (reports, job, crew) => {
            const state = stateOfRun(readJournal(stateDir(io), run.id));
            const keep = { command: 'confirm', expiresAt: null } as const;
            return review(reports, state, { ...job, ask, keep }, crew, flags.forks);
          },
    work: (host, job, crew, stopped) => {
      const more = { ...(saved && { saved }), ...(course.order && { switch: course.order }) };
      return settle(host, { ...job, ask, queries, rollback, stopped, ...more }, crew);
    },
  });
  return flags.yes || exitCode === EXIT.interrupted ? exitCode : graver(exitCode, await offerToKeep(io, run.id, flags));
}
