// Dates and times in the tenant's zone, by Intl in the reader's language.
import { language, t } from '../i18n';
import { zone } from '../state/site';

const DAY_MS = 86_400_000;
/** Up to here a time is told as so long ago. */
const RELATIVE_DAYS = 14;

const formats = new Map<string, Intl.DateTimeFormat>();
function format(options: Intl.DateTimeFormatOptions, inZone = zone.peek()): Intl.DateTimeFormat {
  const key = language.peek() + inZone + JSON.stringify(options);
  let found = formats.get(key);
  // "en-GB" because the drawing says "25 Nov", day first and hours to 24.
  const locale = language.peek() === 'en' ? 'en-GB' : language.peek();
  if (found === undefined) formats.set(key, (found = new Intl.DateTimeFormat(locale, { ...options, timeZone: inZone })));
  return found;
}

/** What is no time is said as nothing: one odd field must not cost the page. */
const said = (of: Intl.DateTimeFormat, at: number): string => (Number.isFinite(at) ? of.format(at) : '');

/** `YYYY-MM-DD`, a local day, as an instant at noon in UTC: formatted in UTC it stays that day. */
const ofDay = (day: string): number => Date.parse(`${day.slice(0, 10)}T12:00:00Z`);
const isDay = (text: string): boolean => /^\d{4}-\d\d-\d\d$/.test(text);

export function date(at: string | number, withYear = false): string {
  const options: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'short', ...(withYear ? { year: 'numeric' } : {}) };
  if (typeof at === 'string' && isDay(at)) return said(format(options, 'UTC'), ofDay(at));
  return said(format(options), typeof at === 'number' ? at : Date.parse(at));
}

export const monthName = (at: number, withYear = false): string => format({ month: 'short', ...(withYear ? { year: 'numeric' } : {}) }).format(at);
export const year = (at: number): string => format({ year: 'numeric' }).format(at);
export const monthNumber = (at: number): number => Number(new Intl.DateTimeFormat('en', { month: 'numeric', timeZone: zone.peek() }).format(at));

export const clockTime = (at: string | number): string =>
  said(format({ hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }), typeof at === 'number' ? at : Date.parse(at));
export const hourMinute = (at: string | number): string =>
  said(format({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }), typeof at === 'number' ? at : Date.parse(at));
export const moment = (at: string | number): string => t('time.moment', { date: date(at), time: hourMinute(at) });
export const exact = (at: string): string => t('time.exact', { date: date(at, true), time: clockTime(at), zone: zone.peek() });

/** From the first to the last day of a window whose end is not in it. */
export function span(start: string, end: string): string {
  const last = Date.parse(end) - 1;
  if (!Number.isFinite(last) || !Number.isFinite(Date.parse(start))) return '';
  return format({ day: 'numeric', month: 'short', year: 'numeric' }).formatRange(Math.min(Date.parse(start), last), last);
}

/** "9 d ago" for what is near, else the date. */
export function ago(at: string, now: number): string {
  const seconds = Math.max(0, (now - Date.parse(at)) / 1000);
  if (Number.isNaN(seconds)) return '';
  if (seconds < 60) return t('ago.now');
  if (seconds < 3600) return t('ago.min', { n: Math.floor(seconds / 60) });
  if (seconds < 86_400) return t('ago.h', { n: Math.floor(seconds / 3600) });
  if (seconds < RELATIVE_DAYS * 86_400) return t('ago.d', { n: Math.floor(seconds / 86_400) });
  return date(at, new Date(at).getUTCFullYear() !== new Date(now).getUTCFullYear());
}

/** Whole local days from now to a day. */
export function daysUntil(day: string, now: number): number {
  if (!Number.isFinite(now) || !Number.isFinite(Date.parse(day))) return 0;
  const today = new Intl.DateTimeFormat('en-CA', { year: 'numeric', month: '2-digit', day: '2-digit', timeZone: zone.peek() }).format(now);
  const of = isDay(day) ? day : new Intl.DateTimeFormat('en-CA', { year: 'numeric', month: '2-digit', day: '2-digit', timeZone: zone.peek() }).format(Date.parse(day));
  return Math.round((ofDay(of) - ofDay(today)) / DAY_MS);
}

/** `UTC+7`, and the zone's city. */
export function offset(): string {
  const parts = new Intl.DateTimeFormat('en', { timeZone: zone.value, timeZoneName: 'shortOffset' }).formatToParts(Date.now());
  return (parts.find(part => part.type === 'timeZoneName')?.value ?? 'UTC').replace('GMT', 'UTC').replace('-', '−');
}
export const city = (): string => (zone.value.split('/').at(-1) ?? zone.value).replaceAll('_', ' ');

/** The day after or before a local day. */
export function dayAfter(day: string, days: number): string {
  return new Date(ofDay(day) + days * DAY_MS).toISOString().slice(0, 10);
}

/** The local day so many days before, as the API takes it. */
export function dayBefore(at: number, days: number): string {
  return new Intl.DateTimeFormat('en-CA', { year: 'numeric', month: '2-digit', day: '2-digit', timeZone: zone.peek() }).format(at - days * DAY_MS);
}
