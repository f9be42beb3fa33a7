/** Flags → the sinks that a run's events go to. */
import { type Event, UsageError } from '../model/index.ts';
import {
  documentSink,
  jsonSink,
  ndjsonSink,
  type Output,
  progressSink,
  type Sink,
  tableSink,
  toCsv,
  toHtml,
  toJunit,
} from '../report/index.ts';
import type { Io } from './io.ts';

/** What a report on hosts can be written as. */
export const FORMATS = ['table', 'json', 'ndjson', 'csv', 'junit', 'html'] as const;

export type Format = (typeof FORMATS)[number];

export interface OutputFlags {
  readonly output: Format;
  readonly verbose?: boolean | undefined;
  readonly 'no-color'?: boolean | undefined;
  readonly color?: boolean | undefined;
}

export interface Screens {
  readonly out: Output;
  readonly err: Output;
  publish(event: Event): void;
  /** Takes the line that tells the progress off the screen, for something else to be said. */
  clear(): void;
  /** Keeps the screen for something else: what is published meanwhile is shown when the returned function is called. */
  hold(): () => void;
  end(): Promise<void>;
}

/** Results on stdout; progress and warnings on stderr. */
export function screens(io: Io, flags: OutputFlags): Screens {
  const out = colored(io.stdout, io, flags);
  const err = colored(io.stderr, io, flags);
  const verbose = flags.verbose ?? false;
  const progress = progressSink(err, { verbose });
  const { events } = io;
  const sinks: Sink[] = events ? [{ event: events, end() {} }] : [progress, resultSink(out, flags.output, verbose)];
  const show = (event: Event): void => {
    for (const sink of sinks) sink.event(event);
  };
  const kept: Event[] = [];
  let holds = 0;
  return {
    out,
    err,
    publish: (event) => (holds > 0 ? void kept.push(event) : show(event)),
    clear: () => void progress.end(),
    hold: () => {
      holds++;
      void progress.end();
      return () => {
        if (--holds === 0) for (const event of kept.splice(0)) show(event);
      };
    },
    end: async () => {
      for (const sink of sinks) await sink.end();
    },
  };
}

function resultSink(out: Output, format: OutputFlags['output'], verbose: boolean): Sink {
  switch (format) {
    case 'json':
      return jsonSink(out);
    case 'ndjson':
      return ndjsonSink(out);
    case 'csv':
      return documentSink(out, toCsv);
    case 'junit':
      return documentSink(out, toJunit);
    case 'html':
      return documentSink(out, toHtml);
    case 'table':
      return tableSink(out, { verbose });
  }
}

/** For what is no report on hosts. Throws UsageError for the formats of those. */
export function refuseReportFormats(format: Format, what: string): void {
  if (format === 'csv' || format === 'junit' || format === 'html') {
    throw new UsageError(`${what} has no form as ${format}`, 'Say -o table, or -o json.');
  }
}

/** Colours on a terminal unless NO_COLOR or --no-color says no; a flag wins over the environment. */
export function colored(stream: Io['stdout'], io: Io, flags: Pick<OutputFlags, 'color' | 'no-color'>): Output {
  const quiet = io.env.NO_COLOR !== undefined && io.env.NO_COLOR !== '';
  const color =
    flags['no-color'] !== true && stream.isTTY && io.env.TERM !== 'dumb' && (flags.color === true || !quiet);
  return {
    write: (text) => stream.write(text),
    get columns() {
      return stream.columns;
    },
    isTTY: stream.isTTY,
    color,
  };
}
