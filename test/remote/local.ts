/** A host that is a process of this machine. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import type { Connection, Ended } from '../../src/transport/transport.ts';

/** `shell` starts what its login shell makes of a command. */
export function localHost(shell: (command: string) => ChildProcessWithoutNullStreams): Connection {
  return {
    description: { hostKey: 'ssh-ed25519', auth: [], strictKex: true },
    close: () => {},
    exec(command, output) {
      const child = shell(command);
      let stderr = '';
      child.stdout.on('data', (chunk: Buffer) => output.stdout(chunk));
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk.toString('utf8');
        output.stderr?.(chunk);
      });
      child.stdin.on('error', () => {});
      const ended = new Promise<Ended>((resolve) => {
        child.on('close', (code, signal) =>
          resolve(signal ? { how: 'signalled', signal, stderr } : { how: 'exited', code: code ?? -1, stderr }),
        );
      });
      return {
        ended,
        write: (data) => void child.stdin.write(data),
        end: () => void child.stdin.end(),
        abandon: () => void child.kill('SIGKILL'),
      };
    },
  };
}
