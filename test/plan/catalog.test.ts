/** The catalogue, a line for each name on each family: what the host has, and what is meant. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isTemplate, isUnitName } from '../../src/model/index.ts';
import { candidatesOf, entries, lookUp } from '../../src/plan/catalog.ts';
import { namesToProbe, parseQuery, resolve } from '../../src/plan/resolve.ts';
import { factsOf, type UnitWords } from './situation.ts';

const LINES = readFileSync(new URL('./catalog.tsv', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split('\t') as [string, string, string, string]);

const MARKS: Readonly<Record<string, UnitWords>> = {
  '-': {},
  '+': { file: 'enabled' },
  '!': { load: 'masked' },
};

function whole(name: string): string {
  return /\.(?:timer|socket|target)$/.test(name) ? name : `${name}.service`;
}

describe('the catalogue', () => {
  for (const [logical, os, has, meant] of LINES) {
    it(`${logical} on ${os} with ${has} is ${meant}`, () => {
      const units = Object.fromEntries(
        has.split(' ').map((word) => {
          const words = MARKS[word[0] ?? ''];
          return words ? [whole(word.slice(1)), words] : [whole(word), { active: 'active' }];
        }),
      );
      const like = os === 'rocky' ? ['rhel', 'centos', 'fedora'] : [];
      const resolution = resolve(parseQuery(logical), 'mask', factsOf({ os, like, units }), false);
      const found =
        resolution.kind === 'units'
          ? resolution.units.map(({ unit }) => unit).join(' ')
          : resolution.kind === 'absent'
            ? 'no-unit'
            : resolution.fault.kind;
      expect(found).toBe(meant);
    });
  }

  it('knows at least thirty logical names, each tested above', () => {
    expect(entries().length).toBeGreaterThanOrEqual(30);
    const tested = new Set(LINES.map(([logical]) => lookUp(logical)?.name));
    expect(
      entries()
        .filter(({ name }) => !tested.has(name))
        .map(({ name }) => name),
    ).toEqual([]);
  });

  it('names only units that systemd would accept', () => {
    const names = entries().flatMap(candidatesOf);
    expect(
      names.filter((name) => !isUnitName(name.replaceAll('*', '1')) || (name.includes('*') && isTemplate(name))),
    ).toEqual([]);
  });

  it('gives each synonym to one entry alone', () => {
    const names = entries().flatMap(({ name, synonyms }) => [name, ...synonyms]);
    expect(names.length).toBe(new Set(names).size);
  });
});

describe('a unit argument', () => {
  it('with a suffix is literal, also when its stem is a logical name', () => {
    expect(parseQuery('cron.service')).toMatchObject({ kind: 'literal', name: 'cron.service' });
    expect(parseQuery('cups.socket')).toMatchObject({ kind: 'literal', name: 'cups.socket' });
  });

  it('without one is a service, unless the catalogue knows it', () => {
    expect(parseQuery('my-app')).toMatchObject({ kind: 'literal', name: 'my-app.service' });
    expect(parseQuery('cron')).toMatchObject({ kind: 'logical' });
  });

  it('may be a template, which is asked for through a witness, its instances and the socket of its name', () => {
    expect(namesToProbe([parseQuery('worker@.service')])).toEqual([
      'worker@.service',
      'worker@fleetmask-witness.service',
      'worker@*.service',
      'worker.socket',
    ]);
  });

  const illegal = [
    'v*',
    '',
    ' ',
    'a b',
    'a/b',
    '../x.service',
    '$(id)',
    '`id`',
    'a;b',
    '-x.service',
    '--now',
    '.service',
    'ü',
    'x\n',
    "a'b",
    'a'.repeat(300),
    '@.service',
    'a@b@c.service',
    'x.service\0',
  ];
  for (const name of illegal) {
    it(`${JSON.stringify(name.slice(0, 20))} is refused before anything is touched`, () => {
      expect(() => parseQuery(name)).toThrow(/not a unit name/);
    });
  }

  const legal = [
    'dev-disk-by\\x2did.mount',
    'foo@bar.service',
    'a:b_c.d-e.timer',
    'x@a\\x20b.service',
    'a'.repeat(247),
  ];
  for (const name of legal) {
    it(`${name.slice(0, 30)} is taken as it stands`, () => {
      expect(parseQuery(name).kind).toBe('literal');
    });
  }
});
