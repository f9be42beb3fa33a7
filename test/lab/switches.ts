/** What a switch is on a host, seen from inside. */
import { changes, type Dumps, sh, until } from './inside.ts';
import type { LabHost } from './lab.ts';

/** Everything that a switch has outside of its receipt: unit files, links, loaded units, stamps, the directory that it made. */
export async function switchesOn(host: LabHost): Promise<string[]> {
  const said = await sh(
    host,
    `find /etc/systemd /run/systemd/system /var/lib/systemd/timers -name 'fleetmask-undo-*' 2>/dev/null || :
     systemctl list-units --all --plain --no-legend 'fleetmask-undo-*'
     ls -d /etc/systemd/system/timers.target.wants 2>/dev/null || :`,
  );
  return said.split('\n').filter(Boolean);
}

/** Until the host is put back by itself: units as dumped, no receipt, nothing of the switch. */
export async function putItselfBack(host: LabHost, before: Dumps, seconds = 180): Promise<void> {
  await until(
    async () => [
      ...(await switchesOn(host)),
      ...(await changes(host, before)),
      ...(await sh(host, 'ls -d /var/lib/fleetmask /run/fleetmask/runs 2>/dev/null || :')).split('\n').filter(Boolean),
    ],
    (left) => left.length === 0,
    seconds,
  );
}
