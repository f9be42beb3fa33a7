/** The remote program alone, without fleetmask, over a host's own sshd. */
import { spawn } from 'node:child_process';
import type { SystemdUnderTest } from '../contract/systemd-under-test.ts';
import type { Lab, LabHost } from './lab.ts';

/** `before`: words in front of the command that starts it. */
export function overSsh(lab: Lab, host: LabHost, user = 'root', before = ''): SystemdUnderTest {
  return {
    version: host.kind.systemd,
    shell: (script) => spawn('ssh', ['-F', lab.sshConfig, '-l', user, host.name, `${before} ${script}`]),
    reset: async () => {
      throw new Error('a session cannot reset its host');
    },
  };
}
