/** Hosts that hold a receipt of one run: what each says, what the journal here says, and whether they agree. */

import type { Intent } from '../journal/records.ts';
import type { RunState } from '../journal/replay.ts';
import { type Account, type Change, type JournalHost, printable, type Receipt, UsageError } from '../model/index.ts';
import { accountOf, byAccount, contradiction, sayAccount } from '../plan/accounts.ts';
import { metaFrom, metaText } from '../remote/meta.ts';
import { nameHosts } from '../report/index.ts';
import { metaOf } from './fleet-run.ts';
import type { Found } from './receipt-scan.ts';

/** How many stories are shown side by side. */
const MOST_STORIES = 10;

export interface Holder {
  readonly host: JournalHost;
  readonly receipt: Receipt;
  /** What was asked of this host: by the journal here where that knows, else by the host's own receipt. */
  readonly account: Account;
  /** How the receipt differs from the journal here, and which of them counts; null where it does not. */
  readonly warning: string | null;
  readonly recorded: Intent | undefined;
}

/** `known`: what the journal here says of the run; null where there is none. */
export function holdersOf(id: string, found: readonly Found[], known: RunState | null): Holder[] {
  return found.flatMap(({ host, receipts }) => {
    const receipt = receipts.find(({ run }) => run === id);
    return receipt === undefined ? [] : [holderOf(host, receipt, known)];
  });
}

function holderOf(host: JournalHost, receipt: Receipt, known: RunState | null): Holder {
  const said = accountOf(receipt);
  const recorded = known?.applied.get(host.host);
  if (known === null || (recorded === undefined && known.start.run.from === 'receipts')) {
    return { host, receipt, account: said, warning: null, recorded };
  }
  const account = recorded?.told ?? accountByJournal(known, (recorded ?? receipt).change);
  const differs = byAccount([said, account].map((each) => ({ host, account: each }))).length > 1;
  const other = `its receipt tells of another run than the journal here: ${sayAccount(said)}`;
  if (recorded === undefined) {
    const warning = differs ? `${other}; it counts for this host alone` : null;
    return { host, receipt, account: said, warning, recorded };
  }
  const contradicts = contradiction(recorded.change, receipt) ?? (differs ? other : null);
  const warning = contradicts === null ? null : `${contradicts}; the journal here counts`;
  return { host, receipt, account, warning, recorded };
}

/** For a person to see: hosts whose receipts are not what this controller has on record. */
export function warningsOn(holders: readonly Holder[]): string[] {
  const warnings = holders.flatMap(({ host, warning }) =>
    warning === null ? [] : [`${printable(host.host)}: ${warning}`],
  );
  const more = warnings.length - MOST_STORIES;
  return [...warnings.slice(0, MOST_STORIES), ...(more > 0 ? [`${more} more hosts contradict the journal here`] : [])];
}

/** In the form in which a receipt would tell the same. */
function accountByJournal({ start: { run } }: RunState, change: Change): Account {
  return accountOf({ meta: metaFrom(metaText(metaOf(run))), change, as: null });
}

/** What all of these hosts say. Throws UsageError where they do not agree: which of them is right, no host can tell. */
export function agreedBy(id: string, holders: readonly Holder[]): Account {
  const [first, ...others] = byAccount(holders);
  if (first !== undefined && others.length === 0) return first.account;
  const groups = [...(first ? [first] : []), ...others];
  const lines = groups.slice(0, MOST_STORIES).map(
    ({ account, hosts }) =>
      `${nameHosts(
        hosts.map(({ host }) => host),
        'some',
      )}: ${sayAccount(account)}`,
  );
  const more = groups.length > MOST_STORIES ? [`and ${groups.length - MOST_STORIES} other stories`] : [];
  throw new UsageError(
    [`the receipts of run ${id} do not agree, and nothing was touched:`, ...lines, ...more].join('\n'),
    'Look at those hosts, then select with -l hosts that agree. Each host is judged by its own receipt.',
  );
}
