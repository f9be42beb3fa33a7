export * from './evidence.ts';
export * from './facts.ts';
export * from './fault.ts';
export * from './host.ts';
export * from './plan.ts';
export * from './printable.ts';
export * from './report.ts';
export * from './unit.ts';
