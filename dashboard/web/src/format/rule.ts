// A rule in the reader's language, from the keys under which it was written. What is said nowhere here, such as an expression of
// several parts, is shown as written; a condition that this page does not know is left to the server's sentence.
import type { Band, Rule } from '../api/types';
import { language, t, type Key } from '../i18n';
import { catalog } from '../state/site';
import { number, shown } from './number';
import { bandTitle, metricTitle, windowKey, windowTitle } from './words';

const UNITS: Record<string, string> = { w: 'week', d: 'day', h: 'hour', m: 'minute', s: 'second' };
const BANDS = new Set<string>(['healthy', 'at_risk', 'critical']);
const SIMPLE = /^value\s*(<=|<|>=|>)\s*(-?\d+(?:\.\d+)?)$/;
const OPS: Record<string, Key> = { '<': 'rule.op.lt', '<=': 'rule.op.le', '>': 'rule.op.gt', '>=': 'rule.op.ge' };

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown): string => (typeof value === 'number' ? number(value, {}) : String(value ?? ''));

/** `1h30m`: 1 hour 30 minutes. */
function time(written: unknown): string {
  const parts = [...String(written ?? '').matchAll(/(\d+)([wdhms])/g)];
  if (parts.length === 0) return text(written);
  return parts.map(([, n, unit]) => new Intl.NumberFormat(language.peek(), { style: 'unit', unit: UNITS[unit ?? 'd'] ?? 'day', unitDisplay: 'long' }).format(Number(n))).join(' ');
}

/** What `value < 40` says: below 40. */
function is(expression: unknown, metric: string): string {
  const match = SIMPLE.exec(String(expression ?? '').trim());
  const op = OPS[match?.[1] ?? ''];
  if (match === null || op === undefined) return String(expression ?? '');
  const unit = catalog.value.get(metric)?.unit ?? 'count';
  // Money has the currency of each series.
  const value = Number(match[2]);
  return t(op, { value: unit === 'money' ? number(value, {}) : shown(value, unit, null) });
}

/** A band by its name, or by its ends. */
function band(of: unknown): string {
  if (isObject(of)) return t('rule.band', { from: text(of['from']), to: text(of['to']) });
  return BANDS.has(String(of)) ? bandTitle(of as Band) : String(of);
}

function condition(rule: Rule, written: Record<string, unknown>): string | null {
  const metric = metricTitle(rule.metric);
  const of = (name: string): Record<string, unknown> => (isObject(written[name]) ? (written[name] as Record<string, unknown>) : {});
  if (written['expr'] !== undefined) return t('rule.expr', { metric, is: is(written['expr'], rule.metric) });
  if (written['enters'] !== undefined) return t('rule.enters', { metric, band: band(written['enters']) });
  for (const name of ['falls', 'rises'] as const)
    if (written[name] !== undefined) return t(`rule.${name}`, { metric, by: text(of(name)['by']), time: time(of(name)['within']) });
  if (written['silence'] !== undefined) return t('rule.silence', { time: time(written['silence']) });
  if (written['unusual'] !== undefined) {
    const side = String(written['unusual']);
    return t(side === 'better' ? 'rule.unusual.better' : side === 'worse' ? 'rule.unusual.worse' : 'rule.unusual.any', { metric });
  }
  if (written['behind'] !== undefined) return t('rule.behind', { by: text(written['behind']) });
  if (written['baseline'] !== undefined) {
    const { below, above, over } = of('baseline');
    return t(below === undefined ? 'rule.baseline.above' : 'rule.baseline.below', { metric, by: text(below ?? above), time: time(over) });
  }
  if (written['will_be'] !== undefined) return t('rule.will_be', { metric, is: is(of('will_be')['expr'], rule.metric), time: time(of('will_be')['within']) });
  return null;
}

/** The rule as a sentence, and whether it is the server's English one. */
export function ruleWords(rule: Rule): { text: string; lang: string | undefined } {
  const written = rule.written ?? {};
  let said = condition(rule, written);
  if (said === null) return { text: rule.sentence, lang: 'en' };
  const add = (clause: string): void => void (said = t('rule.and', { rule: said ?? '', clause }));
  if (typeof written['window'] === 'string') add(t('rule.window', { window: windowTitle(windowKey(written['window'])) }));
  if (Array.isArray(written['by']) && written['by'].length > 0) add(t('rule.by', { list: written['by'].map(String).join(', ') }));
  if (written['where'] !== undefined) add(t('rule.where', { expr: String(written['where']) }));
  if (written['for'] !== undefined) add(t('rule.for', { time: time(written['for']) }));
  if (written['recovery'] !== undefined) add(t('rule.until', { is: is(written['recovery'], rule.metric) }));
  if (written['keep_firing_for'] !== undefined) add(t('rule.keep', { time: time(written['keep_firing_for']) }));
  if (written['cooldown'] !== undefined) add(t('rule.cooldown', { time: time(written['cooldown']) }));
  if (typeof written['max_per_day'] === 'number') add(t('rule.most', { n: written['max_per_day'] }));
  return { text: said, lang: undefined };
}
