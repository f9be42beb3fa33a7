/** What an operator is asked. */
import { expect, it } from 'vitest';
import { describeKeeping } from '../../src/report/index.ts';

const at = (host: string, minute: number) => ({ host, by: `2026-11-22T14:${minute}:20Z` });

it('the time of an automatic rollback is asked about as that of all where all report it', () => {
  expect(describeKeeping([at('web1', 30), at('web2', 30)])).toBe(
    'Keep the change on 2 hosts? If not, automatic rollback at 2026-11-22T14:30:20Z. [y/N] ',
  );
});

it('a time that one host reports alone is named as the time of that host', () => {
  expect(describeKeeping([at('web1', 30), at('liar', 10), at('web2', 30)])).toBe(
    'Keep the change on 3 hosts? If not, automatic rollback from 2026-11-22T14:10:20Z (liar) to 2026-11-22T14:30:20Z (web2). [y/N] ',
  );
});
