/**
 * How a lab test gets at its hosts: `describeLab('what', (lab) => …)`, skipped with the reason where there are none.
 * The hosts are pristine when a test file first asks for them: nothing of one file is seen in another.
 */
import { describe, inject } from 'vitest';
import { KINDS, type Kind, type Lab, openLab } from './lab.ts';

const given = inject('lab');
// the worker's own: files that run side by side have hosts of their own
const dir = 'dirs' in given ? given.dirs[Number(process.env.VITEST_POOL_ID) - 1] : undefined;
const lab = dir === undefined ? undefined : await openLab({ dir, pristine: true });

export function describeLab(name: string, body: (lab: Lab) => void): void {
  if ('why' in given) describe.skip(`${name} (${given.why})`, () => body(undefined as unknown as Lab));
  else describe(name, () => body(lab!));
}

/** Once for each kind of host. */
export function describeKinds(name: string, body: (lab: Lab, kind: Kind) => void): void {
  describeLab(name, (lab) => {
    for (const kind of KINDS) {
      const why = 'missing' in given ? given.missing[kind.suite] : undefined;
      if (why === undefined) describe(kind.name, () => body(lab, kind));
      else describe.skip(`${kind.name} (${why})`, () => body(lab, kind));
    }
  });
}
