// The cards of a dashboard: each shows one thing by the parts that the other views are made of.
import { path, segment } from '../../api/client';
import { useResource } from '../../api/resource';
import type { AccountsAnswer, AlertsAnswer, Card, CardKind, Goal, SeriesAnswer, Vital } from '../../api/types';
import { spanOf } from '../../chart/ofSeries';
import { shown } from '../../format/number';
import { dimensionTitle, metricTitle, stampTitle, windowTitle } from '../../format/words';
import { t } from '../../i18n';
import { BreakdownTable, SharePanel, useBreakdown } from '../../parts/Breakdown';
import { Bones, Failed } from '../../parts/Failed';
import { Funnel } from '../../parts/Funnel';
import { AccountItem, AlertItem, GoalMark, GoalRow, byDay } from '../../parts/lists';
import { Tile } from '../../parts/Tile';
import { Trend } from '../../parts/Trend';
import { compareName, segmentName, windowName } from '../../state/filters';
import { useTopic } from './useTopic';

export const KINDS: CardKind[] = ['value', 'trend', 'bar', 'pie', 'funnel', 'table', 'accounts', 'alerts', 'goal', 'text'];
export const OF_METRIC: ReadonlySet<CardKind> = new Set(['value', 'trend', 'bar', 'pie', 'funnel', 'table']);
export const BY_DIMENSION: ReadonlySet<CardKind> = new Set(['bar', 'pie', 'funnel']);
const LIST = 6;

export function cardTitle(card: Card): string {
  if (card.kind === 'text') return t('card.text');
  if (card.kind === 'accounts') return t('overview.risk');
  if (card.kind === 'alerts') return t('view.alerts');
  const title = card.metric === undefined ? '' : metricTitle(card.metric);
  if (card.kind === 'goal') return title === '' ? t('view.goals') : t('card.goal.of', { title });
  if (BY_DIMENSION.has(card.kind) && card.by !== undefined) return t('breakdown.caption', { title, by: dimensionTitle(card.by) });
  return title;
}

export function CardBody({ card }: { card: Card }) {
  switch (card.kind) {
    case 'value':
      return <ValueCard card={card} />;
    case 'trend':
      return card.metric === undefined ? null : <Trend metric={card.metric} window={card.window ?? windowName.value} />;
    case 'bar':
    case 'pie':
    case 'funnel':
      return <PartsCard card={card} />;
    case 'table':
      return <TableCard card={card} />;
    case 'accounts':
      return <AccountsCard card={card} />;
    case 'alerts':
      return <AlertsCard card={card} />;
    case 'goal':
      return <GoalCard card={card} />;
    case 'text':
      return <p class="pad card-text">{card.text ?? ''}</p>;
  }
}

function ValueCard({ card }: { card: Card }) {
  const metric = card.metric ?? '';
  const read = useResource<Vital>(
    path(`/metrics/${segment(metric)}/value`, { window: card.window ?? windowName.value, compare: compareName.value, segment: segmentName.value }),
  );
  useTopic(`metric:${metric}`, read.reload);
  if (read.failure !== null && read.data === null) return <Failed problem={read.failure} again={read.reload} />;
  if (read.data === null) return <Bones lines={3} />;
  return (
    <div class="vitals vitals-one">
      <Tile vital={read.data} level={2} />
    </div>
  );
}

function PartsCard({ card }: { card: Card }) {
  const metric = card.metric ?? '';
  const read = useBreakdown(metric, card.by ?? 'plan', null, card.window ?? windowName.value);
  if (read.failure !== null && read.data === null) return <Failed problem={read.failure} again={read.reload} />;
  if (read.data === null) return <Bones lines={4} />;
  if (card.kind === 'pie') return <SharePanel answer={read.data} title={cardTitle(card)} />;
  if (card.kind === 'funnel') return <Funnel answer={read.data} title={cardTitle(card)} />;
  return <BreakdownTable answer={read.data} title={metricTitle(metric)} by={card.by ?? 'plan'} />;
}

function TableCard({ card }: { card: Card }) {
  const metric = card.metric ?? '';
  const window = card.window ?? windowName.value;
  const read = useResource<SeriesAnswer>(path(`/metrics/${segment(metric)}/series`, { window, segment: segmentName.value, limit: card.limit ?? LIST }));
  const series = read.data?.series[0];
  if (read.failure !== null && read.data === null) return <Failed problem={read.failure} again={read.reload} />;
  if (read.data === null) return <Bones lines={4} />;
  if (series === undefined) return <p class="pad note">{t('metric.novalues')}</p>;
  const { unit } = read.data;
  return (
    <table class="table">
      <caption class="vh">{t('chart.behind.of', { title: metricTitle(metric) })}</caption>
      <thead>
        <tr>
          <th scope="col">{windowTitle(window)}</th>
          <th scope="col" class="num">
            {t('behind.value')}
          </th>
          <th scope="col" class="num">
            {t('behind.state')}
          </th>
        </tr>
      </thead>
      <tbody>
        {[...series.points].reverse().map(point => (
          <tr>
            <th scope="row">{spanOf(point)}</th>
            <td class="num">
              <strong>{point.value === null ? t('none') : shown(point.value, unit, series.currency, false)}</strong>
            </td>
            <td class="num muted">{stampTitle(point.stamp)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function AccountsCard({ card }: { card: Card }) {
  const read = useResource<AccountsAnswer>(path('/accounts', { sort: card.sort ?? 'fall', limit: card.limit ?? LIST }));
  if (read.failure !== null && read.data === null) return <Failed problem={read.failure} again={read.reload} />;
  if (read.data === null) return <Bones lines={5} />;
  return (
    <ul class="list">
      {read.data.accounts.map(row => (
        <AccountItem key={row.account} row={row} />
      ))}
      {read.data.accounts.length === 0 && <li class="item note">{t('overview.risk.none')}</li>}
    </ul>
  );
}

function AlertsCard({ card }: { card: Card }) {
  const read = useResource<AlertsAnswer>(path('/alerts', { state: 'firing', limit: card.limit ?? LIST }));
  useTopic('alerts', read.reload);
  if (read.failure !== null && read.data === null) return <Failed problem={read.failure} again={read.reload} />;
  if (read.data === null) return <Bones lines={5} />;
  return (
    <ul class="list">
      {read.data.alerts.map(alert => (
        <AlertItem key={alert.id} alert={alert} />
      ))}
      {read.data.alerts.length === 0 && <li class="item note">{t('alerts.none')}</li>}
    </ul>
  );
}

function GoalCard({ card }: { card: Card }) {
  const read = useResource<{ goals: Goal[] }>('/goals');
  if (read.failure !== null && read.data === null) return <Failed problem={read.failure} again={read.reload} />;
  if (read.data === null) return <Bones lines={3} />;
  const goals = byDay(read.data.goals.filter(goal => card.metric === undefined || goal.metric === card.metric)).slice(0, card.limit ?? LIST);
  return (
    <ul class="list">
      {goals.map((goal, place) => (
        <GoalRow key={place} goal={goal} />
      ))}
      {goals.length === 0 ? <li class="item note">{t('goals.none')}</li> : <GoalMark />}
    </ul>
  );
}
