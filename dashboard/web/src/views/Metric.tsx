// One metric: the long trend first, what is behind a change, what the number is made of, and how sure it is.
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { API, path, segment } from '../api/client';
import { useResource } from '../api/resource';
import type { Metric as Definition, Part, SeriesAnswer, Vital } from '../api/types';
import { Chart } from '../chart/Chart';
import { at, chartOf, spanOf } from '../chart/ofSeries';
import { cases, change, count, exactly, shown, target } from '../format/number';
import { exact, span } from '../format/time';
import { groupTitle, metricTitle, stampTitle, windowTitle } from '../format/words';
import { rich, t, named } from '../i18n';
import { described } from '../i18n/catalog';
import { AsOf, Stamp } from '../marks/Glyph';
import { Icon } from '../marks/icons';
import { Behind } from '../parts/Behind';
import { Bones, Failed } from '../parts/Failed';
import { Figure } from '../parts/Figure';
import { BreakdownPanel, dimensionsOf, useBreakdown } from '../parts/Breakdown';
import { GoalRow } from '../parts/lists';
import { partName } from '../parts/PartsTable';
import { Facts, Head, Section } from '../parts/Section';
import { Export, Share } from '../parts/Share';
import { Pick } from '../parts/Button';
import { basis } from '../parts/Tile';
import { Tools } from '../parts/Tools';
import { compareName, filters, link, segmentName, windowName } from '../state/filters';
import { isOld, listenTo, now } from '../state/live';
import { amend, query } from '../state/router';
import { site } from '../state/site';

/** So many windows are drawn: about thirteen months, or as many as a look takes in. */
const DRAWN: Record<string, number> = { '1h': 168, '1d': 395, '1w': 60, '1mo': 26, '1q': 12, '1y': 6 };
/** Windows in a year, so that the year before can be drawn beside it. */
const IN_YEAR: Record<string, number> = { '1h': 0, '1d': 366, '1w': 53, '1mo': 12, '1q': 4, '1y': 1 };
const AGAIN_MS = 2_000;

export default function Metric({ name }: { name: string }) {
  const asked = { ...filters.value, currency: query.value.get('currency'), account: query.value.get('account') };
  const base = `/metrics/${segment(name)}`;
  const most = DRAWN[windowName.value] ?? 395;
  const definition = useResource<Definition>(base);
  const perAccount = definition.data?.per_account === true && asked.account === null;
  const vital = useResource<Vital>(definition.data === null || perAccount ? null : path(`${base}/value`, asked));
  const series = useResource<SeriesAnswer>(
    definition.data === null || perAccount
      ? null
      : path(`${base}/series`, {
          window: asked.window,
          segment: asked.segment,
          currency: asked.currency,
          account: asked.account,
          limit: most + (IN_YEAR[windowName.value] ?? 366),
        }),
  );

  // What changed is read anew, once in a while at most: the answers are small, and mostly a 304.
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = listenTo(`metric:${name}`, frame => {
      if (frame.isSnapshot) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        vital.reload();
        series.reload();
      }, AGAIN_MS / 4);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [name]);

  if (definition.failure !== null && definition.data === null)
    return (
      <>
        <Head title={metricTitle(name)} crumb={<a href={link('/catalog')}>{t('view.metrics')}</a>} />
        <div class="panel">
          <Failed problem={definition.failure} again={definition.reload} />
        </div>
      </>
    );
  const title = metricTitle(name, definition.data?.title);
  return (
    <>
      <Head
        title={<bdi>{title}</bdi>}
        crumb={
          <>
            <a href={link('/catalog')}>{t('view.metrics')}</a>
            {definition.data !== null && ` / ${groupTitle(definition.data.group, definition.data.group)}`}
          </>
        }
        actions={
          <>
            <a class="btn" href={`/alerts?tab=rules&metric=${encodeURIComponent(name)}`}>
              <Icon name="bell" />
              <span>{t('metric.rules')}</span>
            </a>
            <Share />
            <Export href={API + path(`${base}/series`, { ...asked, compare: null, limit: most, format: 'csv' })} name={`${name}.csv`} />
          </>
        }
      />
      {vital.data !== null && definition.data !== null && <Hero vital={vital.data} dimension={dimensionsOf(definition.data)[0] ?? null} />}
      <Tools
        metric={name}
        extra={
          <>
            <CurrencyPick unit={definition.data?.unit ?? ''} />
            {vital.data !== null && <Period vital={vital.data} />}
          </>
        }
      />
      <div class="columns">
        <div>
          {perAccount && (
            <div class="panel pad">
              <p>{rich('metric.peraccount', { link: <a href="/accounts">{t('view.accounts')}</a> })}</p>
            </div>
          )}
          {!perAccount && <Trend title={title} answer={series.data} failure={series.failure} reload={series.reload} most={most} />}
          {definition.data !== null && !perAccount && <BreakdownPanel metric={definition.data} currency={asked.currency} />}
          {series.data !== null && <Corrections answer={series.data} most={most} />}
        </div>
        <aside class="rail" aria-label={t('metric.about')}>
          {definition.data !== null && <About definition={definition.data} vital={vital.data} />}
          {vital.data !== null && <Quality vital={vital.data} />}
          {vital.data?.goal != null && (
            <Section title={t('metric.goal')}>
              <ul class="panel list">
                <GoalRow goal={{ ...vital.data.goal, unit: vital.data.now.unit, currency: vital.data.now.currency }} />
              </ul>
            </Section>
          )}
        </aside>
      </div>
    </>
  );
}

function CurrencyPick({ unit }: { unit: string }) {
  const all = site.value?.currencies ?? [];
  if (unit !== 'money' || all.length < 2) return null;
  const chosen = query.value.get('currency') ?? all[0] ?? '';
  return <Pick label={t('metric.currency')} value={chosen} options={all.map(name => [name, name])} onChoose={name => amend({ currency: name })} />;
}

/** The change, and the days that it is counted against; said plainly where they are not as many as those of this window. */
function against(vital: Vital, by: ComponentChildren): ComponentChildren {
  const { start, end } = vital.other?.window ?? { start: null, end: null };
  if (start === null || end === null) return by;
  const days = vital.other_days ?? null;
  const said = { by, span: span(start, end) };
  if (days !== null) return rich('metric.on.days', { ...said, n: days });
  const isOver = vital.now.window.end === null || Date.parse(vital.now.window.end) <= now() || /^\d\d+d$/.test(vital.now.window.kind.replace('trailing ', ''));
  return rich(isOver || vital.now.stamp === 'level' ? 'metric.on' : 'metric.on.whole', said);
}

const Period = ({ vital: { now: of } }: { vital: Vital }) =>
  of.window.start === null || of.window.end === null ? null : <span class="note pick-label">{span(of.window.start, of.window.end)}</span>;

/** The part that moved the value most in the direction in which it went. */
function most(parts: Part[], change: number): Part | null {
  const same = parts.filter(part => part.effect !== null && part.effect * change > 0);
  return same.sort((a, b) => Math.abs(b.effect ?? 0) - Math.abs(a.effect ?? 0))[0] ?? null;
}

function Hero({ vital, dimension }: { vital: Vital; dimension: string | null }) {
  const isSegment = segmentName.value !== null;
  const parts = useBreakdown(vital.metric, vital.change === null || isSegment ? null : dimension, vital.now.currency, windowName.value).data?.parts ?? [];
  const part = vital.change === null ? null : most(parts, (vital.now.value ?? 0) - (vital.other?.value ?? 0));
  const { now, usual } = vital;
  const range = usual === null ? null : { low: target(usual.low, now.unit, now.currency), high: target(usual.high, now.unit, now.currency), n: usual.windows };
  const by = vital.change === null ? null : change(vital.change, vital.change_kind, now.unit, now.currency);
  return (
    <>
      <div class="hero">
        <p class="hero-value">
          {now.value === null ? <span class="none">{t('none')}</span> : <Figure value={now.value} kind={now.unit} currency={now.currency} />}
        </p>
        <div class="hero-facts">
          {by !== null && compareName.value !== 'none' && (
            <span>{against(vital, <strong>{by}</strong>)}</span>
          )}
          {basis(vital) !== '' && <span>{basis(vital)}</span>}
          {isOld.value ? <AsOf /> : <Stamp kind={now.stamp} words />}
        </div>
      </div>
      <p class="lede">
        {now.value === null
          ? rich('metric.lede.none', { reason: named(`reason.${now.reason ?? ''}`, now.reason ?? t('reason.unknown')) })
          : range === null
            ? rich('metric.lede.norange')
            : vital.verdict === 'as_usual'
              ? rich('metric.lede.usual', range)
              : vital.verdict === 'worse'
                ? rich('metric.lede.worse', range)
                : vital.verdict === 'better'
                  ? rich('metric.lede.better', range)
                  : rich('metric.lede.norange')}
        {part !== null &&
          part.effect !== null && [
            ' ',
            ...rich('metric.lede.part', { by: change(part.effect, now.unit === 'ratio' ? 'points' : 'absolute', now.unit, now.currency), part: partName(part.key) }),
          ]}
      </p>
    </>
  );
}

interface TrendProps {
  title: string;
  answer: SeriesAnswer | null;
  failure: Parameters<typeof Failed>[0]['problem'] | null;
  reload: () => void;
  most: number;
}

const wide = matchMedia('(min-width: 40rem)');

function Trend({ title, answer, failure, reload, most }: TrendProps) {
  const [layers, setLayers] = useState({ year: true, first: true });
  const series = answer?.series[0];
  const spec = useMemo(
    () =>
      answer === null || series === undefined
        ? null
        : chartOf(answer, series, { title, window: windowName.value, height: wide.matches ? 320 : 240, layers, most }),
    [answer, layers, title],
  );
  const layer = (name: 'year' | 'first', text: string) => (
    <label class="check">
      <input type="checkbox" checked={layers[name]} onChange={event => setLayers({ ...layers, [name]: event.currentTarget.checked })} />
      <span>{text}</span>
    </label>
  );
  return (
    <section class="section" aria-labelledby="trend-title">
      <div class="panel">
        <div class="chart-head">
          <h2 id="trend-title">{t('metric.trend', { window: windowTitle(windowName.value) })}</h2>
          <div class="section-tools">
            {layer('year', t('chart.year'))}
            {layer('first', t('chart.first'))}
          </div>
        </div>
        {failure !== null && answer === null && <Failed problem={failure} again={reload} />}
        {answer === null && failure === null && <Bones lines={7} />}
        {answer !== null && series === undefined && <p class="pad note">{t('metric.novalues')}</p>}
        {spec !== null && <Chart spec={spec} />}
        {answer !== null && series !== undefined && (
          <Behind
            caption={t('chart.behind.of', { title })}
            heads={[t('behind.window'), t('behind.value'), t('behind.first'), t('behind.basis'), t('behind.state')]}
            rows={() =>
              series.points
                .slice(-most)
                .reverse()
                .map(point => [
                  spanOf(point),
                  point.value === null ? named(`reason.${point.reason ?? ''}`, point.reason ?? t('none')) : shown(point.value, answer.unit, series.currency, false),
                  point.first === null ? '' : shown(point.first, answer.unit, series.currency, false),
                  cases(point.den) === null ? '' : count(cases(point.den) ?? 0),
                  stampTitle(point.stamp),
                ])
            }
          />
        )}
      </div>
    </section>
  );
}

function Corrections({ answer, most }: { answer: SeriesAnswer; most: number }) {
  const series = answer.series[0];
  const changed = (series?.points ?? [])
    .slice(-most)
    .filter(point => point.first !== null && point.value !== null && point.first !== point.value && point.final)
    .sort((a, b) => at(b) - at(a))
    .slice(0, 12);
  if (changed.length === 0) return null;
  const currency = series?.currency ?? null;
  return (
    <Section title={t('metric.corrections')} note={t('metric.corrections.note')}>
      <div class="panel">
        <table class="table">
          <caption class="vh">{t('metric.corrections')}</caption>
          <thead>
            <tr>
              <th scope="col">{t('behind.window')}</th>
              <th scope="col" class="num">
                {t('behind.first')}
              </th>
              <th scope="col" class="num">
                {t('metrics.now')}
              </th>
              <th scope="col" class="num p2">
                {t('behind.revision')}
              </th>
            </tr>
          </thead>
          <tbody>
            {changed.map(point => (
              <tr>
                <th scope="row">{spanOf(point)}</th>
                <td class="num muted">{shown(point.first ?? 0, answer.unit, currency, false)}</td>
                <td class="num">
                  <strong>{shown(point.value ?? 0, answer.unit, currency, false)}</strong>
                </td>
                <td class="num p2 muted">{point.revision === null ? '' : exact(point.revision)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Section>
  );
}

/** What the value that is shown was made of: of its own window, segment and currency. */
function figures({ now: of }: Vital): [string, string][] {
  const parts: [string, string][] = [];
  if (of.num !== null) parts.push([t('quality.part.numerator'), exactly(of.num)]);
  if (of.den !== null) parts.push([t('quality.part.denominator'), exactly(of.den)]);
  parts.push([t('quality.part.value'), of.value === null ? t('none') : shown(of.value, of.unit, of.currency, false)]);
  return parts;
}

/** Paragraphs of the catalog; "When it moves:" begins what to do. */
function About({ definition, vital }: { definition: Definition; vital: Vital | null }) {
  const { text, lang } = described(definition.name, definition.description);
  const [what = '', ...rest] = text.split(/\n\s*\n/);
  const action = definition.action ?? rest.find(part => part.startsWith('When it moves:'))?.replace('When it moves:', '');
  const others = rest.filter(part => !part.startsWith('When it moves:'));
  const parts = vital === null ? [] : figures(vital);
  return (
    <section class="section explain" aria-label={t('metric.definition')}>
      <div class="panel pad">
        <h3>{t('metric.means')}</h3>
        {[what, ...others].map(part => (
          <p lang={lang}>{part}</p>
        ))}
        {(definition.formula !== '' || parts.length > 0) && <h3>{t('metric.computed')}</h3>}
        {definition.formula !== '' && <p lang="en">{definition.formula}</p>}
        {parts.length > 0 && (
          <p class="formula">
            {parts.map(([name, text]) => (
              <span class="formula-part">
                {name} <strong>{text}</strong>
              </span>
            ))}
          </p>
        )}
        {action !== undefined && action !== '' && (
          <>
            <h3>{t('metric.todo')}</h3>
            <p lang="en">{action}</p>
          </>
        )}
        <p class="note">
          <span class="mono">{definition.definition}</span>
        </p>
        {definition.sources.length > 0 && <p class="note">{t('metric.sources', { list: definition.sources.join(', ') })}</p>}
      </div>
    </section>
  );
}

function Quality({ vital }: { vital: Vital }) {
  const { now, usual } = vital;
  const rows: [string, preact.ComponentChildren][] = [[t('quality.state'), isOld.value ? <AsOf /> : <Stamp kind={now.stamp} words />]];
  if (now.window.start !== null && now.window.end !== null) rows.push([t('quality.window'), span(now.window.start, now.window.end)]);
  if (now.num !== null) rows.push([t('quality.num'), exactly(now.num)]);
  if (now.den !== null) rows.push([t('quality.den'), exactly(now.den)]);
  if (usual !== null) rows.push([t('quality.usual'), `${target(usual.low, now.unit, now.currency)} – ${target(usual.high, now.unit, now.currency)}`]);
  if (usual !== null) rows.push([t('quality.windows'), String(usual.windows)]);
  if (now.revision !== null) rows.push([t('behind.revision'), exact(now.revision)]);
  return (
    <Section title={t('quality.title')}>
      <div class="panel pad">
        <Facts rows={rows} />
      </div>
    </Section>
  );
}
