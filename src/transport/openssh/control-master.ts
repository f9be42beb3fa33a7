/** A connection that the user's own ssh holds (ControlMaster, ControlPath): whoever logs in by hand, with a second factor, shares it. */
import { lstat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { type MuxStream, openMux } from './mux.ts';

/** A master that hangs does not answer at all. */
const ANSWER_MS = 5_000;

/** Whether this is a socket of our own: through another's, that other would hear every command. */
export async function isOurSocket(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isSocket() === true && found.uid === userInfo().uid;
}

/** The stream of a master that is logged in; undefined where none answers there. Never rejects. */
export async function openShared(path: string): Promise<MuxStream | undefined> {
  if (!(await isOurSocket(path))) return undefined;
  const opening = openMux(path).catch(() => undefined);
  let late: NodeJS.Timeout | undefined;
  const silence = new Promise<undefined>((resolve) => {
    late = setTimeout(resolve, ANSWER_MS, undefined);
  });
  const stream = await Promise.race([opening, silence]);
  clearTimeout(late);
  if (stream === undefined) void opening.then((other) => other?.destroy());
  return stream;
}
