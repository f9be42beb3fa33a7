import type { Outcome } from '../model/index.ts';
import type { Screen } from './output.ts';

/** What a colour is for. Each with the SGR codes that switch it on and off. */
const STYLES = {
  good: ['32', '39'],
  quiet: ['2', '22'],
  caution: ['33', '39'],
  undone: ['35', '39'],
  alarm: ['1;31', '22;39'],
  title: ['1', '22'],
} as const;

export type Style = keyof typeof STYLES;

const OUTCOME_STYLES: Record<Outcome, Style> = {
  masked: 'good',
  unmasked: 'good',
  restored: 'good',
  unchanged: 'quiet',
  planned: 'good',
  absent: 'quiet',
  'not-masked': 'caution',
  mixed: 'caution',
  forgotten: 'caution',
  refused: 'caution',
  'not-started': 'caution',
  unreachable: 'caution',
  'rolled-back': 'undone',
  stranded: 'alarm',
};

export function outcomeStyle(outcome: Outcome): Style {
  return OUTCOME_STYLES[outcome];
}

/** `text` in a style, or as it is where there is no colour. */
export function paint(screen: Pick<Screen, 'color'>, style: Style, text: string): string {
  if (!screen.color || text === '') return text;
  const [on, off] = STYLES[style];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}
