// Stages of the pipeline as a table whose bars begin at zero: value now, before, and its share.
import type { Breakdown } from '../api/types';
import { percent, shown } from '../format/number';
import { t } from '../i18n';
import { Bar } from '../marks/Bar';
import { partName } from './Breakdown';

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
  const weightedOf = (key: string): number | null => weighted?.parts.find(part => part.key === key)?.now.value ?? null;
  return (
    <table class="table funnel">
      <caption class="vh">{title}</caption>
      <thead>
        <tr>
          <th scope="col">{t('dimension.stage')}</th>
          <th scope="col" class="funnel-bar">
            <span class="vh">{t('breakdown.bar')}</span>
          </th>
          <th scope="col" class="num">
            {t('metrics.now')}
          </th>
          {weighted !== undefined && (
            <th scope="col" class="num p2">
              {t('pipeline.weighted')}
            </th>
          )}
          <th scope="col" class="num p2">
            {t('breakdown.before')}
          </th>
          <th scope="col" class="num p2">
            {t('pipeline.share')}
          </th>
        </tr>
      </thead>
      <tbody>
        {parts.map(part => {
          const now = part.now.value ?? 0;
          const likely = weightedOf(part.key);
          return (
            <tr key={part.key}>
              <th scope="row">
                <span class="cell-short" title={part.key.slice(0, 300)}>
                  {partName(part.key)}
                </span>
              </th>
              <td class="funnel-bar">
                <Bar
                  parts={[{ from: 0, to: per(now), cls: likely === null ? 'm-bar' : 'm-bar-soft' }, ...(likely === null ? [] : [{ from: 0, to: per(likely), cls: 'm-bar' }])]}
                  ticks={part.other?.value == null ? [] : [per(part.other.value)]}
                  cls="is-tall"
                />
              </td>
              <td class="num">
                <strong>{say(part.now.value)}</strong>
              </td>
              {weighted !== undefined && <td class="num p2">{say(likely)}</td>}
              <td class="num p2 muted">{say(part.other?.value)}</td>
              <td class="num p2 muted">{percent(now / total, 0)}</td>
            </tr>
          );
        })}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">{t('breakdown.all')}</th>
          <td class="funnel-bar" />
          <td class="num">{say(answer.total.now.value)}</td>
          {weighted !== undefined && <td class="num p2">{say(weighted?.total.now.value)}</td>}
          <td class="num p2">{say(answer.total.other?.value)}</td>
          <td class="num p2" />
        </tr>
      </tfoot>
    </table>
  );
}
