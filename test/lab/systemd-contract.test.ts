/** The contract of systemd, on real ones. */
import { spawn } from 'node:child_process';
import { systemdContract } from '../contract/systemd.contract.ts';
import { systemdProgramContract } from '../contract/systemd-program.contract.ts';
import { systemdTriggersContract } from '../contract/systemd-triggers.contract.ts';
import { run, type SystemdUnderTest } from '../contract/systemd-under-test.ts';
import { describeKinds } from './given.ts';
import type { LabHost } from './host.ts';

/** Ends every unit of an earlier case, however stubborn, and removes all that it left. */
const RESET = `
for unit in $(systemctl list-units --plain --no-legend 'fm-*' | cut -d ' ' -f 1); do
  systemctl kill --signal=KILL "$unit" 2>/dev/null
  systemctl stop "$unit"
done
for cgroup in /sys/fs/cgroup/system.slice/fm-*/cgroup.procs; do
  [ ! -e "$cgroup" ] || while read -r pid; do kill -s KILL "$pid"; done <"$cgroup"
done
for dir in /etc /run /usr/lib; do
  find "$dir/systemd" '(' -name 'fm-*' -o -name '.fm-*' ')' -prune -exec rm -rf {} +
done
rm -rf /opt/fm-* /etc/init.d/fm-* /usr/share/dbus-1/system-services/fm-* /run/fleetmask /var/lib/fleetmask
systemctl reset-failed`;

class RealSystemd implements SystemdUnderTest {
  readonly version: number;
  readonly #host: LabHost;

  constructor(host: LabHost) {
    this.#host = host;
    this.version = host.kind.systemd;
  }

  shell(script: string) {
    const [file = '', ...args] = this.#host.nsenter(['sh', '-c', script]);
    const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    return spawn(file, args, { env: { PATH, HOME: '/root', LC_ALL: 'C', SYSTEMD_COLORS: '0', SYSTEMD_PAGER: '' } });
  }

  async reset(): Promise<void> {
    const { code, output } = await run(this, RESET);
    if (code !== 0) throw new Error(`could not reset: ${output}`);
  }
}

describeKinds('systemd', (lab, kind) => {
  const open = async () => new RealSystemd(await lab.host(kind.name));
  // The look-alikes run the systemd of their suite.
  if (kind.layer === undefined) systemdContract(open);
  systemdProgramContract(open);
  systemdTriggersContract(open);
});
