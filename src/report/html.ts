import { createHash } from 'node:crypto';
import type { HostReport, Outcome, Report, UnitReport, UnitState } from '../model/index.ts';
import { alike, failuresOf } from './explain.ts';
import { countHosts } from './hosts.ts';
import { STYLE } from './html-style.ts';
import { commandLine } from './listings.ts';
import { escaped } from './markup.ts';
import { outcomeStyle } from './paint.ts';
import { ORDER } from './results.ts';
import { change, distro, fileWord, historyLines, NONE } from './state.ts';
import { duration, secondsBetween } from './time.ts';

/** Up to so many hosts each shows its evidence at once; of more, those that failed. Print shows all of them. */
const OPEN_UP_TO = 40;

/** Nothing is loaded, run or sent, whatever a host says: the one style sheet is allowed by its hash, and nothing else is. */
function policy(): string {
  const hash = createHash('sha256').update(STYLE).digest('base64');
  return `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
}

/** One page that needs nothing else: what became of the run, its hosts (the worst first), what failed, and the evidence. */
export function toHtml(report: Report): string {
  const { run } = report;
  const hosts = report.hosts.toSorted((a, b) => ORDER[b.outcome] - ORDER[a.outcome]);
  const title = `fleetmask ${commandLine(run)}`;
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${escaped(policy())}">`,
    '<meta name="referrer" content="no-referrer">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${escaped(`${title} · ${run.startedAt.slice(0, 10)}`)}</title>`,
    `<style>${STYLE}</style>`,
    '</head>',
    '<body>',
    '<header>',
    `<h1>${escaped(title)}</h1>`,
    `<p class="verdict ${report.exitCode === 0 ? 'good' : 'caution'}">${escaped(verdict(report))}</p>`,
    totals(report),
    '</header>',
    '<main>',
    section('run', 'Run', facts(factsOf(report))),
    section('failures', 'What is to be done', failures(hosts)),
    section('hosts', 'Hosts', table(hosts, title)),
    section('evidence', 'Evidence', hosts.map((host) => evidence(host, hosts.length)).join('\n')),
    '</main>',
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

/** Nothing where the section would be empty. */
function section(id: string, title: string, content: string): string {
  if (content === '') return '';
  return `<section aria-labelledby="${id}">\n<h2 id="${id}">${title}</h2>\n${content}\n</section>`;
}

/** What each exit code says of a run that came to its end. */
const VERDICTS: Readonly<Record<number, string>> = {
  0: 'Every host is as asked.',
  3: 'Not every host is as asked; nothing is wrong otherwise.',
  4: 'Some hosts were not touched.',
  5: 'Some hosts failed, and are as they were before.',
  6: 'Some hosts are stranded: a person is needed.',
  7: 'Not all results could be written.',
  130: 'The run was interrupted.',
};

function verdict({ exitCode, hosts }: Report): string {
  const back = exitCode === 0 && hosts.some(({ outcome }) => outcome === 'restored');
  const said = back ? 'What was changed is as it was before.' : (VERDICTS[exitCode] ?? '');
  return `${countHosts(hosts.length)}. ${said} Exit code ${exitCode}.`;
}

function totals({ totals: counts }: Report): string {
  const known = Object.keys(ORDER) as Outcome[];
  const items = known
    .filter((outcome) => (counts[outcome] ?? 0) > 0)
    .map((outcome) => `<li class="${outcomeStyle(outcome)}"><strong>${counts[outcome]}</strong> ${outcome}</li>`);
  return items.length === 0 ? '' : `<ul class="totals" aria-label="hosts by outcome">${items.join('')}</ul>`;
}

type Fact = readonly [name: string, value: string | number | null | undefined];

function factsOf({ run }: Report): Fact[] {
  const seconds = secondsBetween(run.startedAt, run.finishedAt);
  return [
    ['id', run.id],
    ['by', run.actor],
    ['reason', run.reason],
    ['ticket', run.ticket],
    ['started', run.startedAt],
    ['finished', run.finishedAt === '' ? 'no' : `${run.finishedAt} (${duration(seconds)})`],
    ['expected', run.expected],
    ['waves', run.waves?.join(', ')],
    ['to be confirmed within', run.confirmWithin === undefined ? null : duration(run.confirmWithin)],
    ['expires', run.expiresAt],
  ];
}

/** Only those that have a value. */
function facts(pairs: readonly Fact[]): string {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '');
  if (known.length === 0) return '';
  const items = known.map(([name, value]) => `<div><dt>${name}</dt><dd>${escaped(String(value))}</dd></div>`);
  return `<dl>${items.join('')}</dl>`;
}

function failures(hosts: readonly HostReport[]): string {
  return alike(failuresOf(hosts))
    .map(({ hosts: names, message, first }) => {
      const chain = hosts.find(({ host }) => host === first.host)?.fault?.chain;
      return [
        `<article class="fault ${first.style}">`,
        `<h3>${names.map(escaped).join(', ')} <small>${escaped(first.fault.kind)}</small></h3>`,
        `<p>${escaped(message)}</p>`,
        ...(chain ? [`<p>${chain.map(escaped).join(' ← ')}</p>`] : []),
        ...(first.fault.hostKey ? [`<p><code>${escaped(first.fault.hostKey.line)}</code></p>`] : []),
        `<p class="hint">${escaped(first.fault.hint)}</p>`,
        '</article>',
      ].join('');
    })
    .join('\n');
}

const HEADS = ['host', 'distro', 'unit', 'state', 'active', 'outcome', 'time'];

function table(hosts: readonly HostReport[], title: string): string {
  return [
    '<div class="wide" role="region" aria-labelledby="hosts" tabindex="0"><table>',
    `<caption>${escaped(title)}, host by host: before → after</caption>`,
    `<thead><tr>${HEADS.map((head) => `<th scope="col">${head}</th>`).join('')}</tr></thead>`,
    ...hosts.map((host) => `<tbody>${rows(host).join('')}</tbody>`),
    '</table></div>',
  ].join('\n');
}

/** A row for each unit; what concerns the whole host spans them. */
function rows(host: HostReport): string[] {
  const units = host.units.length > 0 ? host.units : [null];
  const span = units.length > 1 ? ` rowspan="${units.length}"` : '';
  return units.map((unit, i) => {
    const first = i === 0;
    return [
      '<tr>',
      first ? `<th scope="rowgroup"${span}>${escaped(host.host)}</th><td${span}>${escaped(distro(host))}</td>` : '',
      `<td>${escaped(unit?.unit ?? NONE)}</td>`,
      `<td>${escaped(change(host, unit, fileWord))}</td>`,
      `<td>${escaped(change(host, unit, ({ active }) => active || NONE))}</td>`,
      first ? `<td${span}>${badge(host.outcome)}</td><td${span} class="number">${duration(host.seconds)}</td>` : '',
      '</tr>',
    ].join('');
  });
}

function badge(outcome: Outcome): string {
  return `<span class="badge ${outcomeStyle(outcome)}">${outcome}</span>`;
}

function evidence(host: HostReport, count: number): string {
  const open = count <= OPEN_UP_TO || host.fault !== null ? ' open' : '';
  const about: Fact[] = [
    ['address', `${host.address} port ${host.port}`],
    ['system', host.os?.name ?? (host.os === null ? null : distro(host))],
    ['systemd', host.systemd],
    ['wave', host.wave],
    ['automatic rollback unless confirmed by', host.confirmBy],
    ['expires at', host.expiresAt],
    ['by run', host.switchOf],
    ['fault', host.fault && `${host.fault.kind}: ${host.fault.message}`],
    ['hint', host.fault?.hint],
  ];
  return [
    `<details${open}><summary>${escaped(host.host)} ${badge(host.outcome)}</summary>`,
    facts(about),
    ...host.units.map((unit) => `<h3>${escaped(unit.unit)}</h3>${facts(unitFacts(unit))}`),
    ...history(host),
    '</details>',
  ].join('\n');
}

/** What came after the run, the oldest first. */
function history(host: HostReport): string[] {
  const items = historyLines(host).map((line) => `<li>${escaped(line)}</li>`);
  return items.length === 0 ? [] : [`<h3>Later visits</h3><ol>${items.join('')}</ol>`];
}

function unitFacts(unit: UnitReport): Fact[] {
  const { receipt } = unit;
  return [
    ['asked', unit.asked],
    ['before', stateText(unit.before)],
    ['after', stateText(unit.after)],
    ['start attempt', unit.startProbe],
    ['steps', unit.steps.join(', ')],
    ['can still be triggered by', unit.triggers.join(', ')],
    ['processes left', unit.leftovers],
    ['masked with it', unit.covers?.join(', ')],
    ['stops too', unit.stopsToo?.join(', ')],
    ['not covered', [...(unit.notCovered ?? []), ...(unit.ways ?? [])].join(', ')],
    ['notes', unit.notes.join('; ')],
    [
      'masked by run',
      receipt && [receipt.run, receipt.actor, receipt.ticket, receipt.reason].filter(Boolean).join(', '),
    ],
  ];
}

/** All three, as systemd says them. */
function stateText(state: UnitState | null): string {
  if (state === null) return 'not read';
  return `load ${state.load || NONE}, file ${state.file || NONE}, active ${state.active || NONE}`;
}
