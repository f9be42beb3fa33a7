/** apply: a saved plan is carried out, host by host as it was planned. */
import { type ChangeOfFleet, change, courseOf } from './change.ts';
import type { Io } from './io.ts';
import { readPlanFile } from './plan-file.ts';
import type { SelectionFlags, WayInFlags } from './targets/from-inventory.ts';
import { journalHosts } from './targets/from-journal.ts';
import type { TrustFlags } from './targets/recorded-connections.ts';

export type ApplyFlags = ChangeOfFleet['flags'] &
  SelectionFlags &
  WayInFlags &
  TrustFlags & { readonly file?: string | undefined };

export async function applyPlan(io: Io, flags: ApplyFlags): Promise<number> {
  const { ask, hosts: planned } = readPlanFile(io, String(flags.file));
  const hosts = await journalHosts(
    io,
    planned.map(({ host }) => host),
    flags,
  );
  const saved = new Map(planned.map(({ host, planned }) => [host.host, planned]));
  return change(io, { ask, hosts, course: courseOf(io, flags), saved, flags });
}
