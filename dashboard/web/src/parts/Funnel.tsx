// Stages of the pipeline as a table whose bars begin at zero: value now, before, and its share.
import type { Breakdown, Part } from '../api/types';
import { percent, shown } from '../format/number';
import { t } from '../i18n';
import { Bar } from '../marks/Bar';
import { PartsTable, type Column } from './PartsTable';

/** The usual order of stages; others come after, the largest first. */
const ORDER = ['lead', 'qualified', 'qualification', 'discovery', 'demo', 'proposal', 'negotiation', 'contract'];

interface Props {
  answer: Breakdown;
  weighted?: Breakdown | null;
  title: string;
}

export function Funnel({ answer, weighted, title }: Props) {
  const rank = (key: string): number => {
    const place = ORDER.indexOf(key.toLowerCase());
    return place < 0 ? ORDER.length : place;
  };
  const parts = [...answer.parts].sort((a, b) => rank(a.key) - rank(b.key) || (b.now.value ?? 0) - (a.now.value ?? 0));
  const most = Math.max(...parts.map(part => Math.max(part.now.value ?? 0, part.other?.value ?? 0)), 1e-9);
  const total = parts.reduce((sum, part) => sum + (part.now.value ?? 0), 0) || 1;
  const per = (value: number): number => (Math.max(0, value) / most) * 100;
  const { unit, currency } = answer.total.now;
  const say = (value: number | null | undefined): string => (value === null || value === undefined ? '' : shown(value, unit, currency));
  const likelyOf = (key: string): number | null => weighted?.parts.find(part => part.key === key)?.now.value ?? null;
  const columns: Column[] = [
    { head: t('breakdown.before'), cls: 'p2 muted', cell: part => say(part.other?.value), total: say(answer.total.other?.value) },
    { head: t('pipeline.share'), cls: 'p2 muted', cell: part => percent((part.now.value ?? 0) / total, 0), total: '' },
  ];
  if (weighted !== undefined)
    columns.unshift({ head: t('pipeline.weighted'), cls: 'p2', cell: part => say(likelyOf(part.key)), total: say(weighted?.total.now.value) });
  const bar = (part: Part) => {
    const now = per(part.now.value ?? 0);
    const likely = likelyOf(part.key);
    const parts = likely === null ? [{ from: 0, to: now, cls: 'm-bar' }] : [{ from: 0, to: now, cls: 'm-bar-soft' }, { from: 0, to: per(likely), cls: 'm-bar' }];
    return <Bar parts={parts} ticks={part.other?.value == null ? [] : [per(part.other.value)]} cls="is-tall" />;
  };
  return (
    <PartsTable
      parts={parts}
      caption={title}
      head={t('dimension.stage')}
      cls="funnel"
      barCls="funnel-bar"
      bar={bar}
      now={part => say(part.now.value)}
      total={say(answer.total.now.value)}
      columns={columns}
    />
  );
}
