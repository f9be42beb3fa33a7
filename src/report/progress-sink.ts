import type { Event, HostReport, Outcome, Step } from '../model/index.ts';
import { countOutcomes } from './explain.ts';
import { countHosts, nameHosts } from './hosts.ts';
import type { Output, Sink } from './output.ts';
import { outcomeStyle } from './paint.ts';
import { prose } from './prose.ts';
import { safe, shorten } from './text.ts';
import { duration } from './time.ts';

const STEPS: readonly Step[] = ['connecting', 'probing', 'applying', 'undoing'];

/** Outcomes in which a host did not end as asked. */
const FAILED: ReadonlySet<Outcome> = new Set(['refused', 'unreachable', 'not-started', 'rolled-back', 'stranded']);

const NOT_PUT_BACK: ReadonlySet<Outcome> = new Set(['stranded']);

/**
 * What is going on, on stderr and only on a terminal: one line that updates itself and is gone at the end, or a line for
 * each settled host when verbose. Warnings are shown everywhere, a line each.
 *
 * Feed it before the sink that prints results: it clears its line when the run has finished.
 */
export function progressSink(err: Output, options: { readonly verbose: boolean }): Sink {
  const live = err.isTTY && !options.verbose;
  const busy = new Map<string, Step>();
  let total = 0;
  let done = 0;
  let failed = 0;
  let undoing = false;
  let latest = '';
  let shown = '';

  const show = (line: string) => {
    if (!live || line === shown) return;
    shown = line;
    // to the first column, and erase what is right of the new text
    err.write(`\r${line}\u001b[K`);
  };
  const clear = () => show('');
  const status = () => {
    const counts = STEPS.flatMap((step) => {
      const count = [...busy.values()].filter((each) => each === step).length;
      return count > 0 ? [`${count} ${step}`] : [];
    });
    const head = `${done}/${total} ${undoing ? 'put back' : 'done'}${failed > 0 ? ` (${failed} failed)` : ''}`;
    // one column stays free: a full line would make some terminals wrap
    show(shorten([head, ...counts].join(', ') + (latest === '' ? '' : `  ${latest}`), (err.columns ?? 80) - 1));
  };

  return {
    event(event) {
      switch (event.type) {
        case 'run-started':
          total = event.hosts.length;
          return status();
        case 'host-step':
          busy.set(event.host, event.step);
          latest = safe(`${event.host}: ${event.step}`);
          return status();
        case 'host-settled':
          busy.delete(event.report.host);
          done += 1;
          if ((undoing ? NOT_PUT_BACK : FAILED).has(event.report.outcome)) failed += 1;
          latest = safe(`${event.report.host}: ${event.report.outcome}`);
          if (err.isTTY && options.verbose) err.write(settled(event.report, err));
          return status();
        case 'wave-finished':
          if (!err.isTTY) return;
          clear();
          err.write(waveLine(event, err));
          return status();
        case 'rollback-started':
          total = event.hosts.length;
          done = 0;
          failed = 0;
          latest = '';
          undoing = true;
          if (!err.isTTY) return;
          clear();
          err.write(prose([{ text: `${countHosts(total)} to be ${event.why}` }], err));
          return status();
        case 'warning':
          clear();
          err.write(prose([{ text: 'warning:', style: 'caution' }, { text: ` ${event.text}` }], err));
          return total > 0 ? status() : undefined;
        case 'run-finished':
          return clear();
      }
    },
    end: clear,
  };
}

/** `wave 2/3, 5 hosts: 3 masked, 1 unchanged, 1 rolled-back: web3`. */
function waveLine({ wave, waves, totals, failed }: Extract<Event, { type: 'wave-finished' }>, err: Output): string {
  const hosts = Object.values(totals).reduce((sum, count) => sum + count, 0);
  const names = failed.map(({ host }) => host);
  return prose(
    [
      { text: `wave ${wave}/${waves}, ${countHosts(hosts)}: ` },
      ...countOutcomes(totals),
      { text: names.length > 0 ? `: ${nameHosts(names, 'some')}` : '' },
    ],
    err,
  );
}

/** `web1: masked in 0.4 s`, `web2: unreachable in 5.0 s: connection refused`. */
function settled({ host, outcome, seconds, fault }: HostReport, err: Output): string {
  // unknown host keys are shown once, at the end
  const why = fault === null ? '' : `: ${fault.hostKey === undefined ? fault.message : 'its host key is not known'}`;
  const how = { text: outcome, style: outcomeStyle(outcome) };
  return prose([{ text: `${host}: ` }, how, { text: ` in ${duration(seconds)}${why}` }], err);
}
