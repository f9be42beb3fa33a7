/** Puts back what an earlier run did to a host, from what its journal recorded and the receipt on the host. */
import { fault, type HostReport, type UnitReport } from '../model/index.ts';
import type { Intent, JournalHost } from './journal.ts';
import { record, type UndoJob, undoHost } from './undo.ts';
import { type Crew, visit } from './visit.ts';

/**
 * `restored` when the host reads as it was before the run; `stranded` when it was reached and does not; a host that could
 * not be reached, or not as root, stays as the run left it, and can be put back later.
 */
export async function rollBackHost(
  host: JournalHost,
  intent: Intent,
  before: readonly UnitReport[],
  lastSeq: number,
  job: UndoJob,
  crew: Crew,
): Promise<HostReport> {
  const { change, prior } = intent;
  const report = await visit(host, crew, [], async (session) => {
    if (prior.machineId !== null && session.facts.machineId !== prior.machineId) {
      const message = `this is another machine than the run changed (machine id ${session.facts.machineId ?? 'unknown'})`;
      return { outcome: 'refused', units: before, fault: fault('stale-plan', message) };
    }
    const { privilege } = session.facts;
    if (privilege.kind === 'none') {
      const problem = fault('no-privilege', `no root privilege: ${privilege.why}`, privilege.hint);
      return { outcome: 'refused', units: before, fault: problem };
    }
    const undone = await undoHost(host, job, crew, { change, prior, halts: [] }, session, lastSeq + 1);
    const units = before.map((unit): UnitReport => {
      const now = undone.evidence?.units.find(({ names }) => names.includes(unit.unit));
      return {
        ...unit,
        before: unit.after,
        after: now ? { load: now.load, file: now.file, active: now.active } : null,
        startProbe: 'skipped',
        leftovers: 0,
        notes: [],
      };
    });
    return undone.fault === null
      ? { outcome: 'restored', units, fault: null }
      : { outcome: 'stranded', units, fault: undone.fault };
  });
  await record(job.journal, { type: 'settled', at: crew.clock.date(), report });
  return report;
}
