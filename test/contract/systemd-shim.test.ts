import { afterAll, describe } from 'vitest';
import { SHELLS } from '../demo/shells.ts';
import { SimulatedHost } from '../demo/simulated-host.ts';
import { systemdContract } from './systemd.contract.ts';
import { systemdProgramContract } from './systemd-program.contract.ts';
import { systemdTriggersContract } from './systemd-triggers.contract.ts';

/** Those of the lab, and one for each set of old traits. */
const VERSIONS = ['247.3-7+deb11u7', '252-46.el9_5.2', '257.7-1-arch', '239', '219', '232'];

// Each shell and each version: they do not depend on each other.
for (const [index, systemd] of VERSIONS.entries()) {
  const shell = SHELLS[index % SHELLS.length]!;
  describe(`a simulated systemd ${Number.parseInt(systemd, 10)} under ${shell.name}`, () => {
    const hosts: SimulatedHost[] = [];
    const open = async () => {
      const host = await SimulatedHost.boot(shell, { systemd });
      hosts.push(host);
      return host;
    };
    afterAll(() => Promise.all(hosts.map((host) => host.dispose())));
    systemdContract(open);
    systemdProgramContract(open);
    systemdTriggersContract(open);
  });
}
