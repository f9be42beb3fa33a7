import { driftLine } from './drift.ts';
import type { Output, Sink } from './output.ts';
import { type ResultOptions, renderReport } from './results.ts';

/** Results for people, when the run has finished; see `renderReport`. Of a watch, what happens as it happens. */
export function tableSink(out: Output, options: ResultOptions): Sink {
  return {
    event(event) {
      if (event.type === 'drift') out.write(driftLine(event, out));
      if (event.type === 'run-finished') out.write(renderReport(event.report, out, options));
    },
    end() {},
  };
}
