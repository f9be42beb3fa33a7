/** A connection may break at any byte: what has arrived by then must not do anything. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firstRequest, program, requestLine } from '../../src/remote/protocol.ts';
import { converse, run } from '../contract/systemd-under-test.ts';
import { enabled, sleeper, VENDOR, WANTED } from '../contract/units.ts';
import { dump } from './dump.ts';
import { SHELLS } from './shells.ts';
import { SimulatedHost } from './simulated-host.ts';

const UNIT = 'fm-a.service';
const LINK = `/etc/systemd/system/${UNIT}`;
const APPLY = ['run=r1', 'where=etc', 'stop-timeout=5', 'meta=-', `link=${LINK}`, `stop=${UNIT}`, `read=${UNIT}`];
/** One that would change the host, were it not cut off. */
const SENT = `${program()}\n${firstRequest('nonce', 1, []).replace(' probe ', ` apply ${APPLY.join(' ')} `)}`;

/** After every line and at every byte of the last few; elsewhere at one byte of a few. Not before the last newline: that is all there is to say. */
function cuts(text: string): number[] {
  return Array.from({ length: text.length - 1 }, (_, at) => at).filter(
    (at) => at >= text.length - 250 || at % 61 === 0 || text[at - 1] === '\n',
  );
}

describe.each(SHELLS)('under $name', (shell) => {
  let host: SimulatedHost;
  let before: Record<string, string>;
  beforeAll(async () => {
    host = await SimulatedHost.boot(shell, {
      files: { [`${VENDOR}/${UNIT}`]: sleeper({ install: WANTED }) },
      links: enabled(UNIT),
      running: [UNIT],
    });
    before = await dump(host.dir);
  });
  afterAll(() => host.dispose());

  it('the program does nothing when it is cut off anywhere', async () => {
    const file = join(host.dir, 'tmp/sent');
    await writeFile(file, SENT);
    // The first word after the sweep proves that it came to its end.
    const sweep = `for at in ${cuts(SENT).join(' ')}; do
  head -c "$at" "$HOME/sent" >"$HOME/cut"
  sh -s -- root <"$HOME/cut" >/dev/null 2>&1
done
rm "$HOME/sent" "$HOME/cut"
echo swept`;
    const { output } = await run(host, sweep, 600_000);
    expect(output).toBe('swept');
    expect(await dump(host.dir)).toEqual(before);
  });

  it('the whole of it would have changed the host', async () => {
    const { output } = await run(host, 'exec sh -s -- root', 60_000, SENT);
    expect(output).toContain(`@nonce 1 step link:${LINK} 0`);
    expect(await dump(host.dir)).not.toEqual(before);
    await host.reset();
  });

  it('a request does nothing when it is cut off anywhere, be it by the end of the stream or of the line', async () => {
    const whole = requestLine('nonce', 1, 'apply', APPLY).trimEnd();
    const least = 'nonce 1'.length;
    const lines = Array.from({ length: whole.length - least }, (_, at) => whole.slice(0, at + least));
    let cut = '';
    await converse(
      host,
      [UNIT],
      ({ child, nonce }) => {
        for (const line of lines) child.stdin.write(`${line.replace('nonce', nonce)}\n`);
        cut = whole.replace('nonce', nonce);
      },
      // It is answered, so all those lines have been read.
      ['probe', `name=${UNIT}`],
      () => expect(dump(host.dir)).resolves.toEqual(before),
      // Without the newline at its end.
      ({ child }) => child.stdin.end(cut),
    );
    expect(await dump(host.dir)).toEqual(before);
  });
});
