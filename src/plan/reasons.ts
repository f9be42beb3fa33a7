/** Why a unit ended as it did, from what its host quotes of the journal. The lines are escaped and cut where they come in. */
import {
  type Evidence,
  type Logged,
  printable,
  type StepResult,
  type UnitFacts,
  type UnitPlan,
} from '../model/index.ts';

/** So many of the last lines say why; of each so much. */
const QUOTED_LINES = 3;
const QUOTED_LENGTH = 200;

/** `Dec  1 13:08:24 web1 nginx[812]: bind() failed`: without the time and the host. */
const SHORT_LINE = /^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ (.+)$/;

/** dbus-daemon's line on an activation; a client is known by the number of its process, and how it was called. */
const ACTIVATION = /Activating via systemd: service name='([\w.-]+)' unit='[^' ]+' requested by '[^']*' \((.*)/;

/** A sentence in brackets, `(Result=exit-code; journal: …)`, with what can be had of it; empty where there is nothing. */
export function whyFailed({ id, result }: UnitFacts, logged: readonly Logged[] = []): string {
  const lines = linesOf(id, logged);
  // what the unit itself wrote says more than systemd's words on its end, which its result repeats
  const own = lines.filter((line) => !line.startsWith('systemd['));
  const quoted = (own.length > 0 ? own : lines).slice(-QUOTED_LINES).map((line) => printable(line, QUOTED_LENGTH));
  const parts = [
    ...(result ? [`Result=${result}`] : []),
    ...(quoted.length > 0 ? [`journal: ${quoted.join(' | ')}`] : []),
  ];
  return parts.length > 0 ? ` (${parts.join('; ')})` : '';
}

function linesOf(unit: string, logged: readonly Logged[]): string[] {
  return logged.filter((each) => each.unit === unit).map(({ line }) => SHORT_LINE.exec(line)?.[1] ?? line.trim());
}

/**
 * What has a unit run in spite of its stop: the client that D-Bus activated it for, else what can start it. Undefined where no
 * start came between, so that nothing is known.
 */
export function starterHint(running: readonly UnitFacts[], plans: readonly UnitPlan[], evidence: Evidence) {
  const cancelled = evidence.steps.some(({ refusal }) => refusal === 'cancelled');
  for (const { id } of running) {
    const client = clientOf(id, evidence.logged ?? []);
    if (client) return `${client} has D-Bus start it: stop that client, then run it again.`;
    const plan = plans.find(({ shownAs, unit }) => shownAs === id || unit === id);
    if (!cancelled || !plan) continue;
    const [trigger] = plan.triggers;
    if (trigger) return `${trigger} starts it again: add --with-triggers.`;
    const names = (plan.covers ?? []).filter((name) => !/\.(?:service|socket|timer|path)$/.test(name));
    const by = names.length > 0 ? ` of ${names.join(', ')}` : '';
    return `A client${by} started it again while it stopped: look for it in \`journalctl -u dbus\`, then run it again.`;
  }
  return undefined;
}

/** The last one of whom the journal says that it had the unit started. */
function clientOf(unit: string, logged: readonly Logged[]): string | null {
  for (const line of linesOf(unit, logged).reverse()) {
    const [, name, by = ''] = ACTIVATION.exec(line) ?? [];
    if (name === undefined) continue;
    const pid = /\bpid=(\d{1,10})/.exec(by)?.[1];
    const command = /\bcomm="([^"]*)/.exec(by)?.[1];
    if (pid) return `process ${pid}${command ? ` (${printable(command.trim(), 60)})` : ''}, a client of ${name},`;
  }
  return null;
}

/** What a step of a request said, for a screen. */
export function said(step: StepResult): string {
  return printable(step.said.join(' '), 2_000);
}
