/** What fleetmask relies on in systemd. Run unchanged on the simulated one and on real ones, so that the former cannot drift. */
import { systemdJobsContract } from './systemd-jobs.contract.ts';
import { systemdLoadingContract } from './systemd-loading.contract.ts';
import { systemdTimersContract } from './systemd-timers.contract.ts';
import type { SystemdUnderTest } from './systemd-under-test.ts';

export function systemdContract(open: () => Promise<SystemdUnderTest>): void {
  systemdLoadingContract(open);
  systemdJobsContract(open);
  systemdTimersContract(open);
}
