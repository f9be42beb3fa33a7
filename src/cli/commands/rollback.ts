import type { Inventory } from '../../inventory/index.ts';
import { type Host, type RunInfo, UsageError } from '../../model/index.ts';
import { totalsOf } from '../../run/fleet.ts';
import {
  appendJournal,
  type Journal,
  type JournalHost,
  type RunState,
  readJournal,
  stateOfRun,
} from '../../run/journal.ts';
import { rollBackHost } from '../../run/rollback.ts';
import { becomeAgain } from '../become.ts';
import { watched } from '../change.ts';
import { command } from '../command.ts';
import type { Io } from '../io.ts';
import { connection, consent, output, selection } from '../options.ts';
import { consent as agree, metaOf, stateDir, visitFleet } from '../run.ts';
import { type SelectionFlags, selectedNames, targetsOf, type WayInFlags } from '../targets.ts';
import { wayAgain } from '../way-again.ts';

export const rollback = command({
  name: 'rollback',
  usage: 'rollback <run>',
  describe: 'put the hosts of an earlier run back exactly as they were',
  examples: [
    ['fleetmask rollback 20261122-031500123-a1b2c3', 'every host that the run changed'],
    ['fleetmask rollback last -l web1', 'one of them'],
  ],
  options: { run: { type: 'string', hidden: true }, ...selection, ...consent, ...connection, ...output },
  positional: (argv) =>
    argv.positional('run', { type: 'string', describe: 'a run’s id, a unique beginning of it, or `last`' }),
  run: async (io, flags) => {
    const state = stateOfRun(readJournal(stateDir(io), String(flags.run)));
    const hosts = await hostsOf(io, state, flags);
    const { start } = state;
    if (hosts.length === 0) {
      io.stderr.write(
        `fleetmask: run ${start.run.id} left nothing to put back${flags.limit ? ' on these hosts' : ''}\n`,
      );
    }
    const run: RunInfo = { ...start.run, command: 'rollback', actor: io.actor, startedAt: io.date().toISOString() };
    const doubtful = new Set<string>();
    let journal: Journal | undefined;
    try {
      return await visitFleet(io, {
        run,
        hosts,
        flags,
        prepare: async () => {
          if (hosts.length > 0) await agree(io, run, hosts, flags.yes);
          journal = watched(await appendJournal(stateDir(io), run.id), doubtful);
          if (hosts.length === 0) return;
          await journal.commit({
            type: 'rollback',
            at: run.startedAt,
            actor: run.actor,
            hosts: hosts.map(({ host }) => host),
          });
        },
        work: (host, crew) => {
          const before = state.hosts.get(host.host);
          if (before?.kind !== 'changed' && before?.kind !== 'in-doubt')
            throw new Error(`nothing to undo on ${host.host}`);
          const seq = state.lastSeq.get(host.host) ?? 1;
          const job = { run: run.id, meta: metaOf(run), journal: journal! };
          return rollBackHost(host, before.intent, before.report?.units ?? [], seq, job, crew);
        },
        inDoubt: () => [...doubtful],
        finish: async (reports, exitCode) => {
          if (hosts.length === 0) return;
          await journal!.commit({ type: 'finished', at: io.date().toISOString(), totals: totalsOf(reports), exitCode });
        },
      });
    } finally {
      await journal?.close();
    }
  },
});

/** The hosts that there is something to undo on; reached as the run reached them, unless -i says otherwise. */
async function hostsOf(io: Io, state: RunState, flags: SelectionFlags & WayInFlags): Promise<JournalHost[]> {
  const known = new Map(state.start.hosts.map((host) => [host.host, host]));
  const names =
    flags.limit === undefined && flags.nodes === undefined
      ? [...known.keys()]
      : selectedNames(io, inventoryOf([...known.keys()]), flags);
  const undoable = names.filter((name) => ['changed', 'in-doubt'].includes(state.hosts.get(name)?.kind ?? ''));
  if (flags.inventory === undefined) {
    if (flags['ssh-config'] !== undefined) {
      throw new UsageError(
        '-F goes with -i here: the journal tells how the hosts were reached',
        'Name the inventory too.',
      );
    }
    return undoable.map((name) => {
      const host = known.get(name)!;
      return { ...wayAgain(io, host, flags), become: becomeAgain(host.become, flags) };
    });
  }
  const now = new Map(
    (await targetsOf(io, { ...flags, limit: undefined, nodes: undefined })).map((host) => [host.host, host]),
  );
  const missing = undoable.find((name) => !now.has(name));
  if (missing !== undefined) throw new UsageError(`the inventory has no host ${missing}, which the run changed`);
  return undoable.map((name) => now.get(name)!);
}

/** The run's hosts as an inventory of their own, for patterns. */
function inventoryOf(names: readonly string[]): Inventory {
  const hosts = new Map<string, Host>(
    names.map((name) => [name, { name, groups: [], vars: new Map(), connection: {} }]),
  );
  const all = { name: 'all', children: [], hosts: names, allHosts: names, vars: new Map() };
  return { hosts, groups: new Map([['all', all]]), unusable: new Map(), notes: [] };
}
