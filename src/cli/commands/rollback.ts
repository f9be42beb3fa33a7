import type { Inventory } from '../../inventory/index.ts';
import { type Host, type RunInfo, UsageError } from '../../model/index.ts';
import { appendJournal, type JournalHost, type RunState, readJournal, stateOfRun } from '../../run/journal.ts';
import { ledger } from '../../run/ledger.ts';
import { rollBackHost, undoableOn } from '../../run/rollback.ts';
import { becomeAgain } from '../become.ts';
import { command } from '../command.ts';
import type { Io } from '../io.ts';
import { visitOnRecord } from '../on-record.ts';
import { connection, consent, output, selection } from '../options.ts';
import { stateDir, visitFleet } from '../run.ts';
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
    const records = readJournal(stateDir(io), String(flags.run));
    const state = stateOfRun(records);
    const hosts = await hostsOf(io, state, flags);
    const { start } = state;
    const { waves: _, ...earlier } = start.run;
    const run: RunInfo = { ...earlier, command: 'rollback', actor: io.actor, startedAt: io.date().toISOString() };
    if (hosts.length === 0) {
      const where = flags.limit ? ' on these hosts' : '';
      io.stderr.write(`fleetmask: run ${run.id} left nothing to put back${where}\n`);
      return visitFleet(io, { run, hosts, flags, work: nothingToUndo });
    }
    return visitOnRecord(io, {
      run,
      hosts,
      flags,
      open: async () => {
        const journal = ledger(await appendJournal(stateDir(io), run.id), records);
        const names = hosts.map(({ host }) => host);
        await journal.commit({ type: 'rollback', at: run.startedAt, actor: run.actor, hosts: names });
        return journal;
      },
      work: async (host, job, crew) => {
        const undoable = undoableOn(host.host, state);
        return undoable === null ? nothingToUndo(host) : rollBackHost(host, undoable, job, crew);
      },
    });
  },
});

function nothingToUndo({ host }: JournalHost): never {
  throw new Error(`nothing to undo on ${host}`);
}

/** The hosts that there is something to undo on; reached as the run reached them, unless -i says otherwise. */
async function hostsOf(io: Io, state: RunState, flags: SelectionFlags & WayInFlags): Promise<JournalHost[]> {
  const known = new Map(state.start.hosts.map((host) => [host.host, host]));
  const names =
    flags.limit === undefined && flags.nodes === undefined
      ? [...known.keys()]
      : selectedNames(io, inventoryOf([...known.keys()]), flags);
  const undoable = names.filter((name) => undoableOn(name, state) !== null);
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
