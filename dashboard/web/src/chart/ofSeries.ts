// A chart of a metric from the answer of `/metrics/NAME/series`: trend, open end dashed, corrected values hollow, what was
// first published dotted, the year before in grey.
import { h } from 'preact';
import type { Point, Series, SeriesAnswer } from '../api/types';
import { shown, target, tick } from '../format/number';
import { date, monthName, span } from '../format/time';
import { windowTitle } from '../format/words';
import { t } from '../i18n';
import type { Spec } from './spec';

const [MINUTE, HOUR, DAY] = [60, 3_600, 86_400];
const DURATIONS = [1, 5, 10, 30, ...[1, 5, 10, 30].map(n => n * MINUTE), ...[1, 2, 4, 6, 12].map(n => n * HOUR), ...[1, 2, 5, 10, 20, 50, 100, 200, 500].map(n => n * DAY)];

export interface Layers {
  year: boolean;
  first: boolean;
}

export const at = (point: Point): number => Date.parse(point.window.end ?? point.window.start ?? '') - 1;
const dayOf = (ms: number): string => new Date(ms).toISOString().slice(5, 10);

/** Values of a year before, where the series reaches back so far. */
export function yearBefore(points: Point[]): (number | null)[] {
  const by = new Map(points.map(point => [new Date(at(point)).getUTCFullYear() + dayOf(at(point)), point.value]));
  return points.map(point => {
    const ms = at(point);
    return by.get(new Date(ms).getUTCFullYear() - 1 + dayOf(ms)) ?? null;
  });
}

export function spanOf(point: Point): string {
  return point.window.start === null || point.window.end === null ? '' : span(point.window.start, point.window.end);
}

export interface Options {
  title: string;
  window: string;
  height: number;
  layers: Layers;
  /** How many of the newest points are drawn; those before serve the year before. */
  most: number;
}

export function chartOf(answer: SeriesAnswer, series: Series, options: Options): Spec {
  const before = yearBefore(series.points);
  const from = Math.max(0, series.points.length - options.most);
  const points = series.points.slice(from);
  const year = before.slice(from);
  const currency = series.currency ?? answer.currency;
  const say = (value: number): string => shown(value, answer.unit, currency);
  const values = points.map(point => point.value);
  const firsts = points.map(point => (point.first !== null && point.first !== point.value ? point.first : null));
  const last = points.length - 1;
  const newest = points[last];
  const isOpen = newest !== undefined && !newest.final && last > 0;
  const there = values.filter((value): value is number => value !== null);
  const label =
    newest === undefined || there.length === 0
      ? t('chart.empty', { title: options.title })
      : t('chart.label', {
          title: options.title,
          low: say(Math.min(...there)),
          high: say(Math.max(...there)),
          now: newest.value === null ? t('none') : say(newest.value),
          from: date(at(points[0] ?? newest), true),
        });
  const windowName = windowTitle(options.window);
  return {
    label,
    x: points.map(at),
    height: options.height,
    tick: value => tick(value, answer.unit, currency),
    ...(answer.unit === 'seconds' ? { steps: DURATIONS } : {}),
    date: (ms, withYear) => date(ms, withYear),
    month: monthName,
    zone: answer.zone,
    usual:
      answer.usual === null
        ? undefined
        : { low: answer.usual.low, high: answer.usual.high, label: t('chart.usual') },
    goal: answer.goal === null ? undefined : { value: answer.goal.target, label: t('chart.goal', { goal: target(answer.goal.target, answer.unit, currency) }) },
    lines: [
      ...(options.layers.year && year.some(value => value !== null) ? [{ values: year, look: 'compare' as const, name: t('chart.year') }] : []),
      ...(options.layers.first && firsts.some(value => value !== null) ? [{ values: firsts, look: 'first' as const, isQuiet: true }] : []),
      { values, look: 'trend' as const, name: windowName, dashedFrom: isOpen ? last - 1 : last },
    ],
    marks: points.flatMap((point, place) => (point.corrected && point.value !== null && (place === 0 || points[place - 1]?.corrected !== true) ? [{ place, value: point.value }] : [])),
    end: newest?.value === null || newest === undefined ? undefined : { place: last, value: newest.value },
    rest: () => h('span', { class: 'note' }, t('chart.rest')),
    read: place => {
      const point = points[place];
      if (point === undefined) return null;
      const then = year[place];
      return [
        h('strong', null, spanOf(point)),
        h('span', null, windowName, ' ', h('strong', null, point.value === null ? t('none') : say(point.value))),
        options.layers.year && then !== null && then !== undefined && h('span', null, t('chart.read.year', { value: say(then) })),
        firsts[place] !== null && firsts[place] !== undefined && h('span', null, t('chart.read.first', { value: say(firsts[place] ?? 0) })),
      ];
    },
  };
}
