import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Event, printable, type Report } from '../../src/model/index.ts';
import { jsonSink, ndjsonSink, progressSink, tableSink, visibleJson } from '../../src/report/index.ts';
import { away, columnsOf, host, recorded, report, typicalRun } from './fixtures.ts';
import { PAYLOADS } from './hostile.ts';

function eventsOf(result: Report): Event[] {
  const { finishedAt, ...run } = result.run;
  return [
    { type: 'run-started', run, hosts: result.hosts.map((each) => each.host) },
    ...result.hosts.flatMap((each): Event[] => [
      { type: 'host-step', host: each.host, step: 'connecting' },
      { type: 'host-settled', report: each },
    ]),
    { type: 'warning', text: 'host keys are not checked' },
    { type: 'run-finished', report: result },
  ];
}

describe('json', () => {
  test('one document and a newline, when the run has finished', () => {
    const out = recorded();
    const sink = jsonSink(out);
    for (const event of eventsOf(typicalRun())) sink.event(event);
    expect(out.written).toHaveLength(1);
    expect(out.text().endsWith('}\n')).toBe(true);
    expect(JSON.parse(out.text())).toEqual(typicalRun());
  });

  test('keys come in the documented order, whatever order they were made in, and further ones are kept', () => {
    const shuffle = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shuffle);
      if (value === null || typeof value !== 'object') return value;
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([key, each]) => [key, shuffle(each)]),
      );
    };
    const out = recorded();
    jsonSink(out).event({ type: 'run-finished', report: { later: 1, ...(shuffle(typicalRun()) as Report) } as Report });
    const document = JSON.parse(out.text());
    expect(Object.keys(document)).toEqual(['schema', 'run', 'hosts', 'totals', 'exitCode', 'later']);
    expect(Object.keys(document.run)).toEqual(
      'id command units now runtime actor reason ticket startedAt finishedAt'.split(' '),
    );
    const [first] = document.hosts;
    expect(Object.keys(first)).toEqual('host address port outcome seconds os systemd units fault'.split(' '));
    expect(Object.keys(first.os)).toEqual(['id', 'version', 'name']);
    expect(Object.keys(first.units[0])).toEqual(
      'asked unit before after startProbe triggers leftovers steps notes'.split(' '),
    );
    expect(Object.keys(first.units[0].before)).toEqual(['load', 'file', 'active']);
    const failed = document.hosts.find((each: { fault: unknown }) => each.fault !== null);
    expect(Object.keys(failed.fault)).toEqual(['kind', 'message', 'hint']);
  });

  test.each(PAYLOADS)('a text is inert in JSON and still the same data: %s', (_, payload) => {
    const json = visibleJson({ payload, [payload]: [payload] }, 2);
    expect([...json].filter((char) => char !== '\n' && printable(char) !== char)).toEqual([]);
    expect(JSON.parse(json)).toEqual({ payload, [payload]: [payload] });
  });

  test('any text survives', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
        expect(JSON.parse(visibleJson(texts))).toEqual(texts);
      }),
    );
  });

  test('a host named __proto__ is in the document', () => {
    const out = recorded();
    jsonSink(out).event({ type: 'run-finished', report: report([host('__proto__', 'masked')]) });
    expect(JSON.parse(out.text()).hosts[0].host).toBe('__proto__');
  });

  test('ndjson: each event is a line of its own, written as it happens', () => {
    const out = recorded();
    const sink = ndjsonSink(out);
    const events = eventsOf(typicalRun());
    for (const [i, event] of events.entries()) {
      sink.event(event);
      expect(out.written).toHaveLength(i + 1);
    }
    expect(out.written.map((line) => JSON.parse(line))).toEqual(events);
    for (const line of out.written) expect(line.indexOf('\n')).toBe(line.length - 1);
  });
});

describe('progress', () => {
  test('off a terminal nothing is written but warnings, a line each', () => {
    for (const verbose of [false, true]) {
      const err = recorded();
      const sink = progressSink(err, { verbose });
      for (const event of eventsOf(typicalRun())) sink.event(event);
      sink.end();
      expect(err.text()).toBe('warning: host keys are not checked\n');
    }
  });

  test('on a terminal one line tells what is going on, and is gone at the end', () => {
    const err = recorded({ isTTY: true, columns: 80 });
    const sink = progressSink(err, { verbose: false });
    const [started, ...rest] = eventsOf(report([host('web1', 'masked'), away('web2', 'auth', 'no key')]));
    sink.event(started!);
    sink.event({ type: 'host-step', host: 'web1', step: 'applying' });
    sink.event({ type: 'host-step', host: 'web2', step: 'connecting' });
    expect(err.written.at(-1)).toBe('\r0/2 done, 1 connecting, 1 applying  web2: connecting\u001b[K');
    for (const event of rest) sink.event(event);
    expect(err.text()).toContain('2/2 done (1 failed)  web2: unreachable');
    expect(err.text()).toContain('\r\u001b[Kwarning: host keys are not checked\n');
    expect(err.written.at(-1)).toBe('\r\u001b[K');
    const before = err.written.length;
    sink.end();
    expect(err.written).toHaveLength(before);
  });

  test('the line never fills the terminal, so that it cannot wrap', () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 100 }), fc.constantFrom(...PAYLOADS), (columns, [, name]) => {
        const err = recorded({ isTTY: true, columns });
        const sink = progressSink(err, { verbose: false });
        for (const event of eventsOf(report([host(name, 'masked')]))) if (event.type !== 'warning') sink.event(event);
        for (const text of err.written) {
          expect(text.startsWith('\r') && text.endsWith('\u001b[K')).toBe(true);
          expect(columnsOf(text.slice(1, -3))).toBeLessThan(columns);
          expect(text.slice(1, -3)).not.toMatch(/\p{Cc}/u);
        }
      }),
    );
  });

  test('verbose: a line for each settled host, and why it failed', () => {
    const err = recorded({ isTTY: true, columns: 80 });
    const sink = progressSink(err, { verbose: true });
    for (const event of eventsOf(report([host('web1', 'masked'), away('web2', 'auth', 'no key was accepted')]))) {
      sink.event(event);
    }
    expect(err.text()).toBe(
      'web1: masked in 0.4 s\nweb2: unreachable in 5.0 s: no key was accepted\nwarning: host keys are not checked\n',
    );
  });
});

test('the table sink writes once, when the run has finished', () => {
  const out = recorded();
  const sink = tableSink(out, { verbose: false });
  for (const event of eventsOf(typicalRun())) sink.event(event);
  expect(out.written).toHaveLength(1);
});
