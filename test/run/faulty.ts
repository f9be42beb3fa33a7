/** A transport that fails at chosen moments; all the rest is the real one's. */
import { fault } from '../../src/model/index.ts';
import type { Connection, RemoteProcess, Transport } from '../../src/transport/transport.ts';

/** `request` counts what is written to the host on all its connections: 1 is the first probe, 2 the apply. */
export type Fate =
  | 'pass'
  /** The connection breaks instead of the request being sent. */
  | 'cut-before'
  /** The host gets the request; the connection breaks before its answer. */
  | 'cut-after'
  /** The host gets the request; nothing is ever heard again. */
  | 'mute';

export interface Script {
  request?(number: number, text: string): Fate;
  /** `down`: this connection attempt fails. `shut`: the host answers, and refuses our key. */
  connect?(number: number): 'up' | 'down' | 'shut';
}

export function faulty(inner: Transport, script: Script): Transport {
  let requests = 0;
  let connects = 0;
  return {
    close: () => inner.close(),
    async connect(target, signal) {
      connects += 1;
      const fate = script.connect?.(connects) ?? 'up';
      if (fate === 'down') return { fault: fault('unreachable', 'the host is gone') };
      if (fate === 'shut') return { fault: fault('auth', 'the key is refused') };
      const connected = await inner.connect(target, signal);
      return 'fault' in connected ? connected : { connection: wrap(connected.connection) };
    },
  };

  function wrap(connection: Connection): Connection {
    return {
      description: connection.description,
      close: () => connection.close(),
      exec(command, output) {
        let deaf = false;
        const process: RemoteProcess = connection.exec(command, {
          stdout: (chunk) => {
            if (!deaf) output.stdout(chunk);
          },
          stderr: (chunk) => {
            if (!deaf) output.stderr?.(chunk);
          },
        });
        return {
          ended: process.ended,
          end: () => process.end(),
          abandon: () => process.abandon(),
          write(data) {
            requests += 1;
            const fate = script.request?.(requests, data) ?? 'pass';
            if (fate === 'cut-before') return connection.close();
            deaf ||= fate !== 'pass';
            process.write(data);
            // long enough for the bytes to leave; what the host does with them is its own affair
            if (fate === 'cut-after') setTimeout(() => connection.close(), 100);
          },
        };
      },
    };
  }
}
