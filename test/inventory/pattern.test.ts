import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { glob } from '../../src/inventory/glob.ts';
import { expandNodeRange, matchNames } from '../../src/inventory/index.ts';
import { complaint, emptyDirectory, read } from './reading.ts';

const inventory = await read('[web]\nweb1\nweb2\nweb3\n[db]\ndb1\n[empty]\n');
const options = { cwd: emptyDirectory };
const select = (pattern?: string) => matchNames(inventory, pattern, options);

describe('patterns', () => {
  it('no pattern is all hosts', () => {
    expect(select()).toEqual(['web1', 'web2', 'web3', 'db1']);
  });

  it.each([
    ['', /^-l: the pattern "" is empty/],
    [' , ', /is empty/],
    ['wbe1', /^-l: no host or group matches "wbe1" \| Did you mean web1/],
    ['web:!dbb', /no host or group matches "dbb" \| Did you mean db/],
    ['web:!nope*', /no host or group matches "nope\*"/],
    ['web9', /Did you mean web or web1 or web2\?/],
    ['web[9]', /"web\[9\]" matches nothing: "web" has 3 hosts/],
    ['web:!web', /selects no host/],
    ['empty', /selects no host/],
    ['!', /has nothing after it/],
    ['~(', /is not a regular expression/],
    ['~(a+)+$', /repeats a group/],
    ['~(a|ab)*$', /repeats a group/],
    ['~(x*){9}', /repeats a group/],
    ['~.*.*.*.*.*.*x', /without bound/],
    [`~${'a'.repeat(201)}`, /longer than 200/],
    ['~(.)\\1', /refers back/],
    ['localhost', /no host or group matches/],
  ])('%j is refused', async (pattern, message) => {
    expect(await complaint(() => select(pattern))).toMatch(message);
  });

  it('a file gives one element a line, and empty lines and comments none', () => {
    writeFileSync(join(emptyDirectory, 'limit.txt'), '# failed\nweb2\r\n\ndb\n');
    expect(select('@limit.txt')).toEqual(['web2', 'db1']);
    expect(select('@limit.txt:!web2')).toEqual(['db1']);
  });

  it('an unmatched line of a file is told with its place', async () => {
    writeFileSync(join(emptyDirectory, 'bad.txt'), 'web1\nnope\n');
    expect(await complaint(() => select('@bad.txt'))).toMatch(/^bad\.txt:2: no host or group matches "nope"/);
  });

  it('an empty file never means all hosts', async () => {
    writeFileSync(join(emptyDirectory, 'empty.txt'), '\n# none\n');
    expect(await complaint(() => select('@empty.txt'))).toMatch(/^empty\.txt: names no host/);
    expect(await complaint(() => select('@missing.txt'))).toMatch(/^missing\.txt: cannot be read: ENOENT/);
  });

  it('an exclusion holds wherever it stands', () => {
    expect(select('!web2:web')).toEqual(['web1', 'web3']);
  });

  it('a glob agrees with the obvious regular expression, and is quick on many stars', () => {
    const piece = fc.constantFrom('*', '?', 'a', 'b', 'ab', '.');
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 8 }),
        fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 }),
        (pieces, name) => {
          const source = pieces
            .map((each) => (each === '*' ? '.*' : each === '?' ? '.' : each.replace('.', '\\.')))
            .join('');
          expect(glob(pieces.join(''))(name)).toBe(new RegExp(`^${source}$`).test(name));
        },
      ),
    );
    expect(glob(`${'*a'.repeat(60)}*b`)('a'.repeat(250))).toBe(false);
  });
});

describe('node sets (-w)', () => {
  it.each([
    ['node[1-3,50]', ['node1', 'node2', 'node3', 'node50']],
    ['n[01-03]', ['n01', 'n02', 'n03']],
    ['n[098-101]', ['n098', 'n099', 'n100', 'n101']],
    ['n[1-9/4].x', ['n1.x', 'n5.x', 'n9.x']],
    ['r[1-2]-n[1-2]', ['r1-n1', 'r1-n2', 'r2-n1', 'r2-n2']],
    ['a1,b[2-3], c', ['a1', 'b2', 'b3', 'c']],
    ['a,a,b[1,1]', ['a', 'b1']],
  ])('%s', (text, names) => {
    expect(expandNodeRange(text)).toEqual(names);
  });

  it.each([
    ['', /names no host/],
    ['n[3-1]', /runs backwards/],
    ['n[1-', /brackets/],
    ['n[]', /is not a range/],
    ['n[a-c]', /is not a range/],
    ['n[1-3/0]', /step/],
    ['n[1-999999999]', /more than 100000/],
    ['n[1-1000]-m[1-1000]', /more than 100000/],
    ['-oX', /not a host name/],
    ['a;b', /not a host name/],
  ])('%j is refused', async (text, message) => {
    expect(await complaint(() => expandNodeRange(text))).toMatch(message);
  });
});
