/** Standard output and error as commands see them: whatever becomes of them, the work goes on, and what was lost is known. */
import { fstatSync, writeSync } from 'node:fs';
import type { Output } from '../operations/io.ts';

/**
 * `fd`: the one of the stream. A file is written here, whole, because Node.js takes a short write (a disk with a few bytes left)
 * for a complete one; pipes, sockets and terminals are the stream's.
 */
export function outputOf(stream: NodeJS.WriteStream, fd: number): Output {
  const direct = stream.isTTY !== true && isFile(fd);
  let lost: string | null = null;
  let pending = 0;
  const waiting: (() => void)[] = [];
  const wake = (): void => {
    if (lost === null && pending > 0) return;
    for (const resume of waiting.splice(0)) resume();
  };
  const fail = (error: NodeJS.ErrnoException): void => {
    lost ??= error.code ?? error.message;
    wake();
  };
  stream.on('error', fail);
  const handOver = (text: string): void => {
    pending += 1;
    stream.write(text, (error) => {
      pending -= 1;
      if (error) fail(error);
      wake();
    });
  };
  return {
    write(text) {
      // what comes after a gap would only look whole
      if (lost !== null || text === '') return;
      try {
        if (direct) writeAll(fd, text);
        else handOver(text);
      } catch (error) {
        fail(error as NodeJS.ErrnoException);
      }
    },
    get lost() {
      return lost;
    },
    settled: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        wake();
      }),
    isTTY: stream.isTTY === true,
    get columns() {
      return stream.isTTY ? stream.columns : undefined;
    },
  };
}

/** A file or a device: no pipe or socket, whose reader may be slow. */
function isFile(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    return !stat.isFIFO() && !stat.isSocket();
  } catch {
    return false;
  }
}

function writeAll(fd: number, text: string): void {
  let rest = Buffer.from(text, 'utf8');
  while (rest.length > 0) {
    const written = writeSync(fd, rest);
    if (written === 0) throw Object.assign(new Error('nothing could be written'), { code: 'ENOSPC' });
    rest = rest.subarray(written);
  }
}
