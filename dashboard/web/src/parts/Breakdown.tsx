// What is behind a number: its parts by a dimension, both periods, and the effect of each part on the change. Effects add up.
import { useState } from 'preact/hooks';
import { path, segment } from '../api/client';
import { useResource } from '../api/resource';
import type { Breakdown, Metric, Part, Value } from '../api/types';
import { cases, change, count, decimal, percent, shown } from '../format/number';
import { dimensionTitle, metricTitle } from '../format/words';
import { named, t } from '../i18n';
import { Bar } from '../marks/Bar';
import { Donut } from '../marks/Donut';
import { compareName, windowName } from '../state/filters';
import { Bones, Failed } from './Failed';
import { PartsTable, type Column } from './PartsTable';
import { Section } from './Section';

const ROWS_MOST = 20;
const SLICES = ['cat-1', 'cat-2', 'cat-3', 'cat-4'];

/** What a value rests on; money below the line is no number of cases. */
function basisOf(value: Value): string | null {
  const n = value.unit === 'ratio' && value.currency !== null ? null : cases(value.den);
  return n === null || n === 1 ? null : count(n);
}

export function useBreakdown(metric: string, by: string | null, currency: string | null, window: string) {
  return useResource<Breakdown>(
    by === null ? null : path(`/metrics/${segment(metric)}/breakdown`, { by, window, compare: compareName.value, currency }),
  );
}

/** The dimensions by which people look at a metric. */
export const dimensionsOf = (metric: Metric): string[] => metric.dimensions.filter(name => name !== 'account' && name !== 'nothing' && name !== 'currency');

export function BreakdownPanel({ metric, currency }: { metric: Metric; currency: string | null }) {
  const dimensions = dimensionsOf(metric);
  const [by, setBy] = useState<string | null>(dimensions[0] ?? null);
  const answer = useBreakdown(metric.name, by, currency, windowName.value);
  if (dimensions.length === 0) return null;
  const tools = (
    <div class="seg" role="radiogroup" aria-label={t('breakdown.by')}>
      {dimensions.map(name => (
        <label>
          <input type="radio" name="by" value={name} checked={by === name} onChange={() => setBy(name)} />
          <span>{dimensionTitle(name)}</span>
        </label>
      ))}
    </div>
  );
  return (
    <Section title={t('breakdown.title')} tools={tools}>
      <div class="panel">
        {answer.failure !== null && answer.data === null && <Failed problem={answer.failure} again={answer.reload} />}
        {answer.data === null && answer.failure === null && <Bones />}
        {answer.data !== null && by !== null && <BreakdownTable answer={answer.data} title={metricTitle(metric.name, metric.title)} by={by} />}
      </div>
    </Section>
  );
}

export function BreakdownTable({ answer, title, by }: { answer: Breakdown; title: string; by: string }) {
  const parts = answer.parts.slice(0, ROWS_MOST);
  const { total } = answer;
  const { unit, currency } = total.now;
  const of = (part: Part, which: 'now' | 'other'): number | null => part[which]?.value ?? null;
  const all = parts.flatMap(part => [of(part, 'now'), of(part, 'other')]).filter((value): value is number => value !== null);
  const most = Math.max(...all.map(Math.abs), 1e-12);
  const per = (value: number): number => (Math.abs(value) / most) * 100;
  const hasEffects = parts.some(part => part.effect !== null);
  const say = (value: number | null): string => (value === null ? t('none') : shown(value, unit, currency));
  const effect = (by: number | null): string => (by === null ? '' : change(by, unit === 'ratio' ? 'points' : 'absolute', unit, currency));
  const columns: Column[] = [
    {
      head: t('breakdown.basis'),
      cls: 'p2 muted',
      cell: part => basisOf(part.now) ?? (part.share === null ? '' : percent(part.share)),
      total: basisOf(total.now) ?? '',
    },
  ];
  if (compareName.value !== 'none')
    columns.unshift({
      head: t('breakdown.before'),
      cls: 'p2 muted',
      cell: part => (part.other === null ? '' : say(of(part, 'other'))),
      total: total.other === null ? '' : say(total.other.value),
    });
  if (hasEffects)
    columns.push({
      head: t('breakdown.effect'),
      cls: '',
      cell: part => effect(part.effect),
      total: effect(total.change === null ? null : (total.now.value ?? 0) - (total.other?.value ?? 0)),
    });
  const bar = (part: Part) => {
    const [now, other] = [of(part, 'now'), of(part, 'other')];
    return <Bar parts={now === null ? [] : [{ from: 0, to: per(now), cls: now < 0 ? 'm-bar-grey' : 'm-bar' }]} ticks={other === null ? [] : [per(other)]} track />;
  };
  return (
    <>
      <PartsTable
        parts={parts}
        caption={t('breakdown.caption', { title, by: dimensionTitle(by) })}
        head={dimensionTitle(by)}
        barCls="bar-cell"
        bar={bar}
        now={part => say(of(part, 'now'))}
        total={say(total.now.value)}
        columns={columns}
      />
      <p class="note pad-note">
        {hasEffects ? t('breakdown.note') : t('breakdown.note.plain')}
        {answer.parts.length > ROWS_MOST && ` ${t('breakdown.more', { n: answer.parts.length - ROWS_MOST })}`}
      </p>
    </>
  );
}

/** Shares of a whole: four parts, then the rest as one. */
export function SharePanel({ answer, title }: { answer: Breakdown; title: string }) {
  const { unit, currency } = answer.total.now;
  const sorted = answer.parts
    .map(part => ({ key: part.key, value: Math.max(0, part.now.value ?? 0) }))
    .filter(part => part.value > 0)
    .sort((a, b) => b.value - a.value);
  const head = sorted.slice(0, sorted.length > 4 ? 3 : 4);
  const rest = sorted.slice(head.length).reduce((sum, part) => sum + part.value, 0);
  const total = sorted.reduce((sum, part) => sum + part.value, 0);
  const slices = [
    ...head.map((part, place) => ({ name: part.key === '' ? t('breakdown.unknown') : named(`value.${part.key}`, part.key), value: part.value, cls: SLICES[place] ?? 'cat-other' })),
    ...(rest > 0 ? [{ name: t('breakdown.others'), value: rest, cls: 'cat-other' }] : []),
  ];
  if (total === 0) return <p class="pad note">{t('metric.novalues')}</p>;
  const short = (name: string): string => name.slice(0, 60);
  return (
    <div class="pad share">
      <Donut slices={slices} centre={shown(total, unit, currency)} label={`${title}: ${slices.map(slice => `${short(slice.name)} ${decimal((slice.value / total) * 100, 0)}%`).join(', ')}`} />
      <ul>
        {slices.map(slice => (
          <li>
            <span class={`swatch ${slice.cls}`} />
            <bdi class="item-name">{slice.name}</bdi>
            <strong>{percent(slice.value / total)}</strong>
            <span class="note">{shown(slice.value, unit, currency)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
