export * from './fault.ts';
export * from './host.ts';
export * from './printable.ts';
