export { toCsv } from './csv.ts';
export { type DoctorOptions, type DoctorRow, doctorTable, type Trouble, troublesOf } from './doctor.ts';
export { documentSink } from './document-sink.ts';
export { type HostCard, hostCard } from './host-card.ts';
export { nameHosts } from './hosts.ts';
export { toHtml } from './html.ts';
export { evidenceJson, jsonSink, ndjsonSink, visibleJson } from './json-sinks.ts';
export { toJunit } from './junit.ts';
export {
  inventoryTable,
  type Listed,
  type ReceiptRow,
  type RunProgress,
  type RunRecord,
  type RunSummary,
  receiptsTable,
  runDetails,
  runsTable,
} from './listings.ts';
export type { Output, Screen, Sink } from './output.ts';
export { progressSink } from './progress-sink.ts';
export { type ResultOptions, renderReport } from './results.ts';
export {
  describeAsk,
  describeAtWork,
  describeForgetting,
  describeKeeping,
  describeOffer,
  printError,
  sayKept,
  sayStopped,
} from './say.ts';
export { type Cell, type Column, renderTable } from './table.ts';
export { tableSink } from './table-sink.ts';
