// Backtest: what rules would have caught, side by side. Reads what `vitals backtest --format json` wrote.
import { useMemo } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import { segment } from '../api/client';
import { useResource } from '../api/resource';
import type { Backtest as Report, Score } from '../api/types';
import { Chart } from '../chart/Chart';
import type { Spec } from '../chart/spec';
import { count, decimal, percent, shown, signed, signedCount, tick } from '../format/number';
import { date, monthName, moment, span } from '../format/time';
import { named, rich, t } from '../i18n';
import { Bar } from '../marks/Bar';
import { Behind } from '../parts/Behind';
import { Pick } from '../parts/Button';
import { Bones, Empty, Failed } from '../parts/Failed';
import { Head, Section } from '../parts/Section';
import { Share } from '../parts/Share';
import { amend, query } from '../state/router';
import { zone } from '../state/site';

const DAY = 86_400;

export default function Backtest() {
  const list = useResource<{ backtests: { name: string; made_at: string; file: string }[] }>('/backtests');
  const all = list.data?.backtests ?? null;
  const name = query.value.get('of') ?? all?.[0]?.name ?? null;
  const read = useResource<Report>(name === null ? null : `/backtests/${segment(name)}`);
  return (
    <>
      <Head title={t('view.backtest')} actions={<Share />} />
      {all === null && <div class="panel">{list.failure === null ? <Bones /> : <Failed problem={list.failure} again={list.reload} />}</div>}
      {all?.length === 0 && (
        <div class="panel">
          <Empty title={t('backtest.none')}>
            <p>{t('backtest.none.words')}</p>
            <code class="mono">vitals backtest --rules FILE --rules OTHER --format json {'>'} DIR/backtests/NAME.json</code>
          </Empty>
        </div>
      )}
      {all !== null && all.length > 0 && (
        <>
          {read.data !== null && <Lede report={read.data} />}
          <div class="tools">
            <Pick
              label={t('backtest.pick')}
              value={name ?? ''}
              options={all.map(of => [of.name, t('backtest.option', { name: of.name.slice(0, 60), at: moment(of.made_at) })])}
              onChoose={of => amend({ of })}
            />
            {read.data !== null && (
              <div class="tools-extra">
                <span class="note pick-label">{span(read.data.from, read.data.to)}</span>
              </div>
            )}
          </div>
          {read.failure !== null && read.data === null && (
            <div class="panel">
              <Failed problem={read.failure} again={read.reload} />
            </div>
          )}
          {read.data !== null && <Compared report={read.data} />}
        </>
      )}
    </>
  );
}

function Lede({ report }: { report: Report }) {
  const [a, b] = report.files;
  const outcome = named(`outcome.${report.outcome}`, report.outcome);
  const days = Math.round(report.horizon / DAY);
  if (a === undefined) return null;
  if (b === undefined)
    return (
      <p class="lede">
        {rich('backtest.lede.one', { alerts: a.together.alerts, caught: a.together.caught, outcomes: a.together.outcomes, outcome, days })}
      </p>
    );
  return (
    <p class="lede">
      {rich('backtest.lede.two', {
        caught: signedCount(b.together.caught - a.together.caught),
        outcomes: b.together.outcomes,
        outcome,
        alerts: signedCount(b.together.alerts - a.together.alerts),
        days,
      })}
    </p>
  );
}

interface Measure {
  name: string;
  sub: string;
  of: (score: Score) => number | null;
  say: (value: number) => string;
  differ: (by: number) => string;
  better: 'up' | 'down' | '';
  whole?: number;
}

function measures(report: Report): Measure[] {
  const weeks = Math.max(1, report.weeks.length);
  const days = Math.round(report.horizon / DAY);
  const points = (by: number): string => t('change.pt', { n: signed(by * 100) });
  const whole = (value: number): string => count(value);
  return [
    { name: t('backtest.alerts'), sub: t('backtest.alerts.sub', { n: weeks }), of: score => score.alerts, say: whole, differ: signedCount, better: 'down' },
    { name: t('backtest.precision'), sub: t('backtest.precision.sub', { n: days }), of: score => score.precision, say: value => percent(value, 0), differ: points, better: 'up', whole: 1 },
    {
      name: t('backtest.recall'),
      sub: t('backtest.recall.sub', { n: report.files[0]?.together.outcomes ?? 0 }),
      of: score => score.recall,
      say: value => percent(value, 0),
      differ: points,
      better: 'up',
      whole: 1,
    },
    {
      name: t('backtest.warning'),
      sub: t('backtest.warning.sub'),
      of: score => score.lead.median,
      say: value => shown(Math.round(value / DAY), 'days', null),
      differ: by => (by < 0 ? '−' : '+') + shown(Math.abs(Math.round(by / DAY)), 'days', null),
      better: 'up',
      whole: report.horizon,
    },
    { name: t('backtest.weekly'), sub: t('backtest.weekly.sub'), of: score => score.alerts / weeks, say: value => decimal(value), differ: by => signed(by), better: 'down' },
    { name: t('backtest.flaps'), sub: t('backtest.flaps.sub'), of: score => score.flaps.again + score.flaps.short, say: whole, differ: signedCount, better: 'down' },
    { name: t('backtest.early'), sub: t('backtest.early.sub'), of: score => score.censored, say: whole, differ: signedCount, better: '' },
  ];
}

const KEYS = ['A', 'B', 'C', 'D'];

function Compared({ report }: { report: Report }) {
  const files = report.files.slice(0, KEYS.length);
  const pair = files.length > 1;
  const rows = measures(report);
  const key = (place: number) => <span class={`rule-key rule-${place === 0 && pair ? 'a' : 'b'}`}>{KEYS[place]}</span>;
  return (
    <>
      <div class="panel versus">
        <div class="versus-head">
          {files.map((file, place) => (
            <div class="rule-card" key={file.file}>
              <h2>
                {key(place)} <bdi>{file.file}</bdi>
              </h2>
              <p class="rule-words">{t('backtest.rules', { list: file.rules.map(rule => rule.rule ?? '').join(', ').slice(0, 300) })}</p>
            </div>
          ))}
        </div>
        <table class="table versus-table">
          <caption class="vh">{t('backtest.caption')}</caption>
          <thead>
            <tr>
              <th scope="col">
                <span class="vh">{t('backtest.measure')}</span>
              </th>
              {files.map((_, place) => (
                <th scope="col" class="num">
                  {key(place)}
                </th>
              ))}
              <th scope="col" class="versus-bar p2">
                <span class="vh">{t('breakdown.bar')}</span>
              </th>
              {pair && (
                <th scope="col" class="num">
                  {t('backtest.against')}
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {rows.map(row => (
              <Row key={row.name} row={row} scores={files.map(file => file.together)} />
            ))}
          </tbody>
        </table>
      </div>
      <div class="cols2">
        <Section title={t('backtest.work')} note={t('backtest.work.note')}>
          <Weekly report={report} />
        </Section>
        <Section title={t('backtest.each')} note={t('backtest.each.note')}>
          <Each report={report} />
        </Section>
      </div>
    </>
  );
}

function Row({ row, scores }: { row: Measure; scores: Score[] }) {
  const values = scores.map(row.of);
  const most = row.whole ?? Math.max(...values.map(value => value ?? 0), 1e-9);
  const [a, b] = values;
  const by = typeof a === 'number' && typeof b === 'number' ? b - a : null;
  const good = by !== null && by !== 0 && row.better !== '' ? (row.better === 'up') === by > 0 : null;
  const cell = (value: number | null): ComponentChildren => (value === null ? <span class="none">{t('none')}</span> : row.say(value));
  return (
    <tr>
      <th scope="row">
        {row.name}
        <span class="sub">{row.sub}</span>
      </th>
      {values.map((value, place) => (
        <td class={`num ${place === 0 && values.length > 1 ? 'muted' : ''}`}>{place === values.length - 1 ? <strong>{cell(value)}</strong> : cell(value)}</td>
      ))}
      <td class="versus-bar p2">
        <div class="pair">
          {values.map((value, place) => (
            <Bar parts={[{ from: 0, to: ((value ?? 0) / most) * 100, cls: place === 0 && values.length > 1 ? 'm-bar-grey' : 'm-bar' }]} cls="is-slim" track />
          ))}
        </div>
      </td>
      {values.length > 1 && (
        <td class="num">
          {by !== null && (
            <span class={good === null ? 'muted' : good ? 'is-good-text' : 'is-bad-text'}>
              {row.differ(by)}
              {good !== null && <span class="vh">, {good ? t('backtest.better') : t('backtest.worse')}</span>}
            </span>
          )}
        </td>
      )}
    </tr>
  );
}

function Weekly({ report }: { report: Report }) {
  const files = report.files.slice(0, 2);
  const spec = useMemo((): Spec => {
    const x = report.weeks.map(week => Date.parse(week));
    const mean = (score: Score): string => decimal(score.alerts / Math.max(1, x.length));
    const most = Math.max(...files.flatMap(file => file.together.alerts_by_week), 1);
    return {
      label: t('backtest.work.label', { list: files.map((file, place) => `${KEYS[place]} ${mean(file.together)}`).join(', ') }),
      x,
      height: 260,
      min: 0,
      max: most * 1.1,
      tick: value => tick(value, 'count', null),
      date: (at, withYear) => date(at, withYear),
      month: monthName,
      zone: zone.value,
      lines: files.map((file, place) => ({
        values: x.map((_, week) => file.together.alerts_by_week[week] ?? 0),
        look: place === 0 && files.length > 1 ? ('compare' as const) : ('trend' as const),
        isStep: true,
        name: `${KEYS[place]}: ${mean(file.together)}`,
      })),
      rest: () => <span class="note">{t('chart.rest')}</span>,
      read: place => (
        <>
          <strong>{date(x[place] ?? 0, true)}</strong>
          {files.map((file, of) => (
            <span>
              {KEYS[of]} {count(file.together.alerts_by_week[place] ?? 0)}
            </span>
          ))}
        </>
      ),
    };
  }, [report]);
  return (
    <div class="panel">
      {report.weeks.length < 2 ? <p class="pad note">{t('metric.novalues')}</p> : <Chart spec={spec} />}
      <Behind
        caption={t('backtest.work')}
        heads={[t('backtest.week'), ...files.map((_, place) => KEYS[place] ?? '')]}
        rows={() => report.weeks.map((week, at) => [date(week, true), ...files.map(file => count(file.together.alerts_by_week[at] ?? 0))])}
      />
    </div>
  );
}

function Each({ report }: { report: Report }) {
  return (
    <div class="panel">
      <table class="table">
        <caption class="vh">{t('backtest.each')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('rules.rule')}</th>
            <th scope="col" class="num">
              {t('backtest.alerts')}
            </th>
            <th scope="col" class="num">
              {t('backtest.right')}
            </th>
            <th scope="col" class="num">
              {t('backtest.precision')}
            </th>
          </tr>
        </thead>
        <tbody>
          {report.files.flatMap(file =>
            file.rules.map(rule => (
              <tr>
                <th scope="row">
                  <bdi class="wrap-any">{rule.rule ?? ''}</bdi>
                  <span class="sub">
                    <bdi>{file.file}</bdi>
                  </span>
                </th>
                <td class="num">{count(rule.alerts)}</td>
                <td class="num">{count(rule.right)}</td>
                <td class="num">{rule.precision === null ? <span class="none">{t('none')}</span> : percent(rule.precision, 0)}</td>
              </tr>
            )),
          )}
        </tbody>
      </table>
    </div>
  );
}
