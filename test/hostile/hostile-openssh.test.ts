import { existsSync } from 'node:fs';
import { describe, it } from 'vitest';
import { amongHostile } from './among-hostile.ts';

if (existsSync('/usr/bin/ssh') || process.env.CI) amongHostile('openssh');
else describe('a run among hosts that mean harm, over openssh', () => it.skip('is not tested here: there is no ssh'));
