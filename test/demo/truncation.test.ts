/** A connection may break at any byte: what has arrived by then must not do anything. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Requests } from '../../src/remote/requests.ts';
import { arming } from '../../src/remote/switch.ts';
import { run } from '../contract/systemd-under-test.ts';
import { enabled, sleeper, VENDOR, WANTED } from '../contract/units.ts';
import { dump } from './dump.ts';
import { SHELLS } from './shells.ts';
import { SimulatedHost } from './simulated-host.ts';

const UNIT = 'fm-a.service';
const LINK = `/etc/systemd/system/${UNIT}`;
const APPLY = ['run=r1', 'where=etc', 'stop-timeout=5', 'meta=-', `link=${LINK}`, `stop=${UNIT}`, `read=${UNIT}`];
const ALL = ['guard=yes', 'uses=yes', 'superservers=yes', 'members=yes', 'ways=yes', 'receipts=all'] as const;

/** The groups of a conversation that changes the host, were it not cut off; the second is the one that does. */
function groups(more: ReturnType<typeof arming> | null): [string, string] {
  const requests = new Requests('nonce');
  const words = [...APPLY, ...(more?.words ?? [])];
  return [requests.probe(0, [UNIT], ALL), requests.later('apply', 1, words, more?.stored)];
}
const [PROBE, CHANGE] = groups(null);
const [, ARMED] = groups(arming({ confirmWithin: 300, expires: null }, 'r1', 'etc'));
/** A verb that it does not know is answered in no time. */
const QUICK = PROBE.replace(' probe ', ' nothi ');

/** At every byte of the last few; elsewhere at one byte of a few, and after every line where `lines` says so. Not before the last newline: that is all there is to say. */
function cuts(text: string, stride: number, lines: boolean): number[] {
  const last = lines ? 250 : 120;
  return Array.from({ length: text.length - 1 }, (_, at) => at).filter(
    (at) => at >= text.length - last || at % stride === 0 || (lines && text[at - 1] === '\n'),
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

  const apply = (text: string, file = true) => {
    const input = file ? '>"$HOME/whole"; sh -s -- root <"$HOME/whole"' : '| sh -s -- root';
    return `cat "$HOME/sent-before" ${text} ${input}`;
  };
  const put = async (earlier: string, text: string) => {
    await writeFile(join(host.dir, 'tmp/sent-before'), earlier);
    await writeFile(join(host.dir, 'tmp/sent'), text);
  };
  const clean = () => run(host, 'rm -f "$HOME"/sent "$HOME"/sent-before "$HOME"/cut "$HOME"/whole');

  // A shell reads ahead in a file; from a pipe it takes what is there, and bash each byte. What was cut off must answer nothing, too.
  it.each([
    ['the first request, with what it needs of the program', '', PROBE, 61, true, true],
    ['a later one, with what it needs', QUICK, CHANGE, 211, false, true],
    ['the same through a pipe', QUICK, CHANGE, 997, false, false],
    ['one with a program that is to be stored', QUICK, ARMED, 1997, false, true],
  ])('%s does nothing when it is cut off anywhere', async (_, earlier, text, stride, lines, file) => {
    await put(earlier, text);
    // The first word after the sweep proves that it came to its end.
    const sweep = `for at in ${cuts(text, stride, lines).join(' ')}; do
  head -c "$at" "$HOME/sent" >"$HOME/cut"
  { ${apply('"$HOME/cut"', file)}; } 2>/dev/null | grep -v '^@nonce 0 '
done
echo swept`;
    const { output } = await run(host, sweep, 600_000);
    await clean();
    expect(output).toBe('swept');
    expect(await dump(host.dir)).toEqual(before);
  });

  it.each([
    ['a file', true],
    ['a pipe', false],
  ])('the whole of it would have changed the host (%s)', async (_, file) => {
    await put(QUICK, CHANGE);
    const { output } = await run(host, apply('"$HOME/sent"', file));
    await clean();
    expect(output).toContain(`@nonce 1 step link:${LINK} 0`);
    expect(await dump(host.dir)).not.toEqual(before);
    await host.reset();
  });

  it('one that belongs to another conversation does nothing', async () => {
    await put(QUICK, new Requests('other').later('apply', 1, APPLY));
    const { output } = await run(host, apply('"$HOME/sent"'));
    await clean();
    expect(output).not.toContain('@nonce 1 ');
    expect(await dump(host.dir)).toEqual(before);
  });
});
