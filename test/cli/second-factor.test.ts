/** Hosts that ask for a code at every login, as whoever runs a change meets them. */
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, startFleet } from '../../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../../src/demo/hosts.ts';
import type { Io } from '../../src/operations/io.ts';
import { type HostileHost, startHostile } from '../hostile/hostile-host.ts';
import { type Operator, operator } from '../operator.ts';
import { knownLine, type Scratch, scratch } from '../transport/openssh.ts';

let files: Scratch;
let fleet: Fleet;
let host: HostileHost;
let prompt: Io['prompt'];
let asked: string[];
let alice: Operator;

beforeAll(async () => {
  files = scratch();
  const key = files.key('id');
  const model = DEMO_HOSTS.find(({ name }) => name === 'deb-web1')!;
  fleet = await startFleet([{ ...model, name: 'coded' }], { path: process.env.PATH ?? '', tempDir: tmpdir() });
  host = await startHostile(
    files,
    key,
    'coded',
    {
      tamper: (lines) => lines,
      onAuth(context) {
        if (context.method === 'publickey') {
          if (context.signature === undefined) return context.accept();
          return context.reject(['keyboard-interactive'], true);
        }
        if (context.method !== 'keyboard-interactive') return context.reject(['publickey']);
        context.prompt([{ prompt: 'Code: ', echo: false }], ([code]) =>
          code === '1' ? context.accept() : context.reject(['publickey']),
        );
      },
    },
    fleet.hosts[0]!.dir,
  );
  files.write(
    'hosts.ini',
    `coded ansible_host=127.0.0.1 ansible_port=${host.port} ansible_ssh_private_key_file=${key}\n`,
  );
  files.write('known_hosts', host.hostKeys.map((each) => knownLine(host.port, each)).join(''));
  alice = operator({
    prompt: async (question, answer, given) => {
      asked.push(question);
      return prompt(question, answer, given);
    },
  });
});
afterAll(async () => {
  host?.close();
  alice?.dispose();
  await fleet?.dispose();
  files?.close();
});

const run = (command: string, answers: Io['prompt']) => {
  asked = [];
  prompt = answers;
  const where = ['-i', files.path('hosts.ini'), '--known-hosts', files.path('known_hosts'), '-F', 'none'];
  return alice.run(...command.split(' '), '-o', 'json', ...where);
};
const mask = 'mask cron --now -y -l all';

describe('a host that asks for a code', () => {
  it('is masked and put back by whoever answers, once for each login', async () => {
    const done = await run(mask, async () => '1');
    expect(done.report.totals, done.stderr).toEqual({ masked: 1 });
    expect(asked).toEqual(['coded asks, to let us in:\n  coded | Code: ']);
    const back = await run(`rollback ${done.report.run.id} -y`, async () => '1');
    expect(back.report.totals, back.stderr).toEqual({ restored: 1 });
    expect(asked).toHaveLength(1);
  });

  it('is untouched where there is no terminal, and the question is told', async () => {
    const { code, report } = await run(mask, async () => undefined);
    expect(code).toBe(4);
    expect(report.hosts[0]).toMatchObject({
      outcome: 'unreachable',
      fault: { kind: 'unanswered', message: expect.stringMatching(/asked “Code: ”, and there is no terminal/) },
    });
  });

  it('asks again for the second login of --confirm-within, and whoever does not answer that is not told of a lock-out', async () => {
    const done = await run(`${mask} --confirm-within 5m`, async () => '1');
    expect(done.report.totals, done.stderr).toEqual({ masked: 1 });
    expect(asked).toHaveLength(2);
    await run(`rollback ${done.report.run.id} -y`, async () => '1');

    const wrong = await run(`${mask} --confirm-within 5m`, async () => (asked.length === 1 ? '1' : '2'));
    expect(asked).toHaveLength(2);
    expect(wrong.report.hosts[0]).toMatchObject({ outcome: 'rolled-back', fault: { kind: 'unanswered' } });
    expect(wrong.report.hosts[0]!.fault!.message).toMatch(/^the login that is to prove the change was not completed: /);
    expect(JSON.stringify(wrong.report.hosts) + wrong.stderr).not.toMatch(/lock(ed)? (you|us)|lock-?out|cut off/i);
  });
});
