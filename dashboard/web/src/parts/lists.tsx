// Rows of people, alerts and goals: the same on the overview, on an account's page and on dashboards.
import type { AccountRow, Alert, Bands, Goal } from '../api/types';
import { count, money, percent, shown, signed, signedCount, target } from '../format/number';
import { ago, date, exact } from '../format/time';
import { accountName, bandTitle, componentTitle, metricTitle, stateTitle } from '../format/words';
import { named, t } from '../i18n';
import { Bar } from '../marks/Bar';
import { Glyph, ScoreMark, toneOf, toneOfSeverity } from '../marks/Glyph';
import { now } from '../state/live';
import { catalog } from '../state/site';

/** One line with an ellipsis costs one line, whatever its length; the title need not hold all of it. */
const TITLE_MOST = 500;
export const tooltip = (text: string): string => text.slice(0, TITLE_MOST);

export const reasonOf = (row: AccountRow): string => (row.reason === null ? '' : componentTitle(row.reason));

/** Why a score fell, in words, and since when nobody was seen. */
export function whyOf(row: AccountRow): string {
  if (row.reason === null) return '';
  const why = named(`why.${row.reason}`, componentTitle(row.reason));
  return row.last_seen === null ? why : t('why.seen', { why, ago: ago(row.last_seen, now()) });
}

export const AccountItem = ({ row }: { row: AccountRow }) => (
  <li class="item">
    <a class="item-name" href={`/accounts/${encodeURIComponent(row.account)}`} title={tooltip(accountName(row))}>
      <bdi>{accountName(row)}</bdi>
    </a>
    <span class="item-end">
      <ScoreMark score={row.score} band={row.band} /> {row.change !== null && <span class="muted">{signed(row.change)}</span>}
    </span>
    <span class="item-sub" title={tooltip(whyOf(row))}>
      {whyOf(row)}
    </span>
    <span class="item-end note">{row.mrr === null ? '' : t('account.month', { money: money(row.mrr, row.mrr_currency ?? row.currency) })}</span>
  </li>
);

/** What an alert is about: the customer, else the metric. */
export const alertName = (alert: Alert): string => alert.account_name ?? alert.account ?? metricTitle(alert.metric);

export const AlertItem = ({ alert, named = true }: { alert: Alert; named?: boolean }) => (
  <li class="item item-icon">
    <Glyph tone={toneOfSeverity(alert.severity)} />
    <div>
      <a class="item-name item-block" href={`/alerts?alert=${encodeURIComponent(alert.id)}`} title={tooltip(alert.summary)}>
        <bdi>{named ? alertName(alert) : alert.rule}</bdi>
      </a>
      <div class="item-sub">
        <bdi>{alert.summary === '' ? alert.rule : alert.summary}</bdi>
      </div>
    </div>
    <span class="item-end note" title={exact(alert.since)}>
      {alert.state === 'firing' ? ago(alert.since, now()) : <span class="tag">{stateTitle(alert.state)}</span>}
    </span>
  </li>
);

const GOAL_TONES = { on_track: 'good', met: 'good', behind: 'warn', missed: 'bad', no_data: '' } as const;

export function GoalRow({ goal }: { goal: Goal }) {
  const known = catalog.value.get(goal.metric);
  const unit = goal.unit ?? known?.unit ?? 'count';
  const currency = goal.currency ?? goal.dimensions['currency'] ?? null;
  const tone = GOAL_TONES[goal.state];
  // A goal of something that should be small is drawn on the same scale: the larger of the two is the whole width.
  const whole = Math.max(Math.abs(goal.target), Math.abs(goal.value ?? 0), Math.abs(goal.expected ?? 0)) || 1;
  const per = (value: number): number => (Math.max(0, value) / whole) * 100;
  const where = Object.entries(goal.dimensions).filter(([name]) => name !== 'currency' && name !== 'goal');
  const title = metricTitle(goal.metric, goal.title === '' ? undefined : goal.title);
  return (
    <li class="goal-row">
      <a class="item-name" href={`/metrics/${encodeURIComponent(goal.metric)}`} title={tooltip(title)}>
        <bdi>{title}</bdi>
        {where.map(([, value]) => (
          <span class="note">
            {' '}
            <bdi>{value}</bdi>
          </span>
        ))}
      </a>
      <span class={tone === '' ? 'note' : `is-${tone}-text`}>{t(`goal.${goal.state}`)}</span>
      <Bar
        parts={goal.value === null ? [] : [{ from: 0, to: per(goal.value), cls: tone === 'good' ? 'm-bar-good' : tone === 'bad' ? 'm-bar-bad' : tone === 'warn' ? 'm-bar-warn' : 'm-bar-grey' }]}
        ticks={goal.expected === null ? [] : [per(goal.expected)]}
        track
        cls="is-slim"
      />
      <span class="note">
        {goal.value === null
          ? t('goal.of.none', { target: target(goal.target, unit, currency) })
          : t('goal.of', { value: shown(goal.value, unit, currency), target: target(goal.target, unit, currency) })}
      </span>
      <span class="note">{goal.by === null ? '' : t('goal.by', { day: date(goal.by) })}</span>
    </li>
  );
}

export const hasEnded = (goal: Goal, today = new Date(now()).toISOString().slice(0, 10)): boolean => goal.by !== null && goal.by.slice(0, 10) < today;

/** Goals whose day has not passed, the nearest first; then the others. */
export function byDay(goals: Goal[]): Goal[] {
  const today = new Date(now()).toISOString().slice(0, 10);
  const isPast = (goal: Goal): number => Number(hasEnded(goal, today));
  return [...goals].sort((a, b) => isPast(a) - isPast(b) || (a.by ?? '').localeCompare(b.by ?? '') * (isPast(a) === 1 ? -1 : 1));
}

export const GoalMark = () => (
  <li class="item">
    <span class="note">{t('goal.mark')}</span>
  </li>
);

const BANDS = [
  ['healthy', '70+'],
  ['at_risk', '40+'],
  ['critical', '<40'],
] as const;

/** All customers by the band of their health score. */
export function Health({ bands, before }: { bands: Bands; before: Bands | null }) {
  const total = bands.healthy + bands.at_risk + bands.critical || 1;
  let at = 0;
  return (
    <div class="panel pad dist">
      <svg class="dist-bar" role="img" aria-label={BANDS.map(([band]) => `${count(bands[band])} ${bandTitle(band)}`).join(', ')}>
        {BANDS.map(([band]) => {
          const x = (at / total) * 100;
          at += bands[band];
          return <rect class={`m-bar-${toneOf(band)}`} x={`${x}%`} width={`${(bands[band] / total) * 100}%`} height="100%" />;
        })}
      </svg>
      <ul>
        {BANDS.map(([band, range]) => (
          <li>
            <Glyph tone={toneOf(band)} />
            <a href={`/accounts?band=${band}`}>
              {bandTitle(band)} <span class="note">{range}</span>
            </a>
            <strong>{count(bands[band])}</strong>
            <span class="muted">{percent(bands[band] / total)}</span>
            <span class="muted">{before === null ? '' : signedCount(bands[band] - before[band])}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
