// Numbers as people read them, by Intl in the reader's language: a figure with its unit, a change with its sign.
// The digits that matter: rates have one decimal, money in tiles three or four figures.
import { language, t } from '../i18n';

export const MINUS = '−';
const DAY = 86_400;
/** From here on a duration is told in days. */
const IN_DAYS_FROM = 2 * DAY;

const formats = new Map<string, Intl.NumberFormat>();
export function number(value: number, options: Intl.NumberFormatOptions): string {
  const key = language.peek() + JSON.stringify(options);
  let format = formats.get(key);
  if (format === undefined) formats.set(key, (format = new Intl.NumberFormat(language.peek(), options)));
  return format.format(value).replaceAll('-', MINUS);
}

export const decimal = (value: number, digits = 1): string => number(value, { minimumFractionDigits: digits, maximumFractionDigits: digits });
export const count = (value: number): string => number(value, { maximumFractionDigits: Number.isInteger(value) ? 0 : 1 });
export const percent = (ratio: number, digits = 1): string =>
  number(ratio, { style: 'percent', minimumFractionDigits: digits, maximumFractionDigits: digits });

/** An exact integer of the API, grouped; anything else as it came. */
export const exactly = (text: string): string => (/^-?\d{1,40}$/.test(text) ? BigInt(text).toLocaleString(language.peek()).replaceAll('-', MINUS) : text);

/** How many cases a denominator is. Means of fine grain are kept in millionths: their denominators are whole millions. */
export function cases(den: string | null): number | null {
  if (den === null || !/^-?\d{1,15}$/.test(den)) return null;
  const n = Number(den);
  return n !== 0 && n % 1e6 === 0 ? n / 1e6 : n;
}

/** Money; `short` is for tiles and axes. */
export function money(value: number, currency: string | null, short = false): string {
  const size = Math.abs(value);
  const style: Intl.NumberFormatOptions =
    currency === null || !/^[A-Z]{3}$/.test(currency) ? {} : { style: 'currency', currency, currencyDisplay: 'narrowSymbol' };
  if (short && size >= 1e6) return number(value, { ...style, notation: 'compact', minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
  const digits = size >= 1000 || Number.isInteger(value) ? 0 : 2;
  return number(value, { ...style, minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A piece of a figure; a unit is set small. */
export interface Piece {
  text: string;
  isUnit: boolean;
}
const plain = (text: string): Piece => ({ text, isUnit: false });
const unit = (text: string): Piece => ({ text, isUnit: true });

function duration(seconds: number): Piece[] {
  const size = Math.abs(seconds);
  const sign = seconds < 0 ? MINUS : '';
  if (size >= IN_DAYS_FROM) return [plain(decimal(seconds / DAY)), unit(t('unit.days'))];
  if (size < 60) return [plain(sign + count(Math.round(size))), unit(t('unit.s'))];
  const minutes = Math.round(size / 60);
  const hours = Math.floor(minutes / 60);
  const out = hours > 0 ? [plain(sign + count(hours)), unit(t('unit.h'))] : [];
  if (minutes % 60 > 0 || hours === 0) out.push(plain((hours > 0 ? '' : sign) + count(minutes % 60)), unit(t('unit.min')));
  return out;
}

/** A value in its unit, in pieces. */
export function figure(value: number, kind: string, currency: string | null, short = true): Piece[] {
  switch (kind) {
    case 'ratio':
      return [plain(percent(value))];
    case 'money':
      return [plain(money(value, currency, short))];
    case 'seconds':
      return duration(value);
    case 'days':
      return [plain(Number.isInteger(value) ? count(value) : decimal(value)), unit(t('unit.days'))];
    case 'points':
      return [plain(decimal(value)), unit(t('unit.points'))];
    case 'score':
      return [plain(decimal(value))];
    default:
      return [plain(count(value))];
  }
}

/** Pieces as one text: `2 h 14 min`, `41.0 points`. */
export function flat(pieces: Piece[]): string {
  let text = '';
  for (const piece of pieces) text += text !== '' && !(language.peek() === 'ja' && piece.isUnit) ? `\u00a0${piece.text}` : piece.text;
  return text;
}

export const shown = (value: number, kind: string, currency: string | null, short = true): string => flat(figure(value, kind, currency, short));

/** A target as people set it: `45`, `75%`, `4 h`: no digit that says nothing, and no unit that is plain from the value beside it. */
export function target(value: number, kind: string, currency: string | null): string {
  if (kind === 'ratio') return number(value, { style: 'percent', maximumFractionDigits: 1 });
  if (kind === 'points' || kind === 'score' || kind === 'days') return number(value, { maximumFractionDigits: 1 });
  return shown(value, kind, currency);
}

/** For an axis: the number alone, with its unit where that is one sign. */
export function tick(value: number, kind: string, currency: string | null): string {
  if (kind === 'ratio') return percent(value, Number.isInteger(Math.round(value * 1e6) / 1e4) ? 0 : 1);
  if (kind === 'money') return Math.abs(value) >= 1000 ? number(value, { ...moneyStyle(currency), notation: 'compact' }) : money(value, currency);
  if (kind === 'seconds') return Math.abs(value) >= IN_DAYS_FROM ? flat([plain(count(Math.round((value / DAY) * 10) / 10)), unit(t('unit.days'))]) : value === 0 ? '0' : shown(value, kind, currency);
  return count(Math.round(value * 100) / 100);
}
const moneyStyle = (currency: string | null): Intl.NumberFormatOptions =>
  currency === null || !/^[A-Z]{3}$/.test(currency) ? {} : { style: 'currency', currency, currencyDisplay: 'narrowSymbol' };

export const signed = (value: number, digits = 1): string => {
  const text = decimal(Math.abs(value), digits);
  return (value > 0 ? '+' : value < 0 ? MINUS : '±') + text;
};
export const signedCount = (value: number): string => (value > 0 ? '+' : value < 0 ? MINUS : '±') + count(Math.abs(value));

/** A change in the metric's own way: per cent of money, percentage points of a rate, else its unit. */
export function change(by: number, how: 'relative' | 'points' | 'absolute', kind: string, currency: string | null): string {
  const sign = by > 0 ? '+' : by < 0 ? MINUS : '±';
  const size = Math.abs(by);
  if (how === 'relative') return sign + percent(size);
  if (how === 'points') return kind === 'ratio' ? t('change.pt', { n: sign + decimal(size * 100) }) : sign + decimal(size);
  if (kind === 'points' || kind === 'score') return sign + decimal(size);
  return sign + shown(size, kind, currency);
}
