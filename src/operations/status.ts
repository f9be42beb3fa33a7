/** status: what is true of units now. */

import { parseQueryWith } from '../plan/resolve.ts';
import { status as read } from '../run/host/change.ts';
import type { CrewFlags } from './context/run-context.ts';
import { newRun, visitFleet } from './fleet-run.ts';

import type { Io } from './io.ts';
import type { OutputFlags } from './output.ts';
import type { SelectionFlags, WayInFlags } from './targets/from-inventory.ts';
import { selectionOf } from './targets/from-inventory.ts';

export interface StatusFlags extends SelectionFlags, WayInFlags, CrewFlags, OutputFlags {
  readonly units?: readonly string[] | undefined;
  readonly expect: 'masked' | 'unmasked';
  readonly 'skip-absent'?: boolean | undefined;
}

export async function readStatus(io: Io, flags: StatusFlags): Promise<number> {
  const asked = [...new Set(flags.units ?? [])];
  const queries = asked.map((unit) => parseQueryWith(io.catalogue, unit));
  const { hosts, unsupported } = await selectionOf(io, flags);
  const run = { ...newRun(io, 'status', asked, {}), expected: flags.expect };
  return visitFleet(io, {
    run,
    hosts,
    unsupported,
    flags,
    expected: flags.expect,
    work: (host, crew) => read(host, queries, crew, { skipAbsent: flags['skip-absent'] ?? false }),
  });
}
