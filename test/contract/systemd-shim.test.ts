import { afterAll, describe } from 'vitest';
import { SHELLS } from '../demo/shells.ts';
import { SimulatedHost } from '../demo/simulated-host.ts';
import { systemdContract } from './systemd.contract.ts';
import { systemdProgramContract } from './systemd-program.contract.ts';
import { systemdTriggersContract } from './systemd-triggers.contract.ts';

const VERSIONS = ['247.3-7+deb11u7', '252-46.el9_5.2', '257.7-1-arch'];

// Each shell once and each version once: they do not depend on each other.
for (const [index, shell] of SHELLS.entries()) {
  const systemd = VERSIONS[index] ?? '252';
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
