import type { Report } from '../model/index.ts';
import type { Output, Sink } from './output.ts';

/** One document, whole, when the run has finished: `toCsv`, `toJunit`, `toHtml`. */
export function documentSink(out: Pick<Output, 'write'>, render: (report: Report) => string): Sink {
  return {
    event(event) {
      if (event.type === 'run-finished') out.write(render(event.report));
    },
    end() {},
  };
}
