/** What a host refused to begin, in words. */
import { type Evidence, type Fault, fault } from '../model/index.ts';
import { sayLock } from './holders.ts';

/** The host's own refusal: nothing was changed by this request. */
export function refusalOf({ refused }: Evidence): Fault | null {
  switch (refused?.kind) {
    case undefined:
      return null;
    case 'locked':
      return fault('locked', sayLock(refused.holder));
    case 'twin':
      return fault('locked', `it is the machine that this run changes as ${refused.text}`, TWIN);
    case 'fenced':
      return fault('stale-plan', `the host has seen a newer request of this run (${refused.text})`);
    case 'moved':
      return fault(
        'stale-plan',
        'the host was changed by somebody else while it was planned',
        'Run the command again.',
      );
    case 'write':
      return fault('write-failed', refused.text);
    case 'unarmed':
      return fault('not-armed', `the host cannot be made to put itself back: ${refused.text}`);
    case 'malformed':
      return fault('bug', `the host did not understand the request ${refused.text}`);
  }
}

const TWIN = 'Omit one of the two names; what the run did under the other is not touched.';
