// Pipeline: how much is open, where it stands, how often it is won, how long it takes, whose deals they are.
import { path, segment } from '../api/client';
import { useResource } from '../api/resource';
import type { Goal, Vital } from '../api/types';
import { change, shown } from '../format/number';
import { metricTitle, windowTitle } from '../format/words';
import { rich, t } from '../i18n';
import { Pick } from '../parts/Button';
import { useBreakdown, BreakdownTable, SharePanel } from '../parts/Breakdown';
import { Bones, Failed } from '../parts/Failed';
import { Funnel } from '../parts/Funnel';
import { GoalMark, GoalRow, byDay } from '../parts/lists';
import { Head, Section } from '../parts/Section';
import { Export, Share } from '../parts/Share';
import { Tile, vitalKey } from '../parts/Tile';
import { Trend } from '../parts/Trend';
import { Tools } from '../parts/Tools';
import { filters, windowName } from '../state/filters';
import { amend, query } from '../state/router';
import { catalog, site } from '../state/site';
import { Deals } from './pipeline/Deals';

const VALUE = 'pipeline_value';
const WEIGHTED = 'weighted_pipeline_value';

/** A vital as its own metric has it, in one currency where it is money. */
function useVital(metric: string, currency: string | null): Vital | null {
  return useResource<Vital>(path(`/metrics/${segment(metric)}/value`, { ...filters.value, currency })).data;
}

export default function Pipeline() {
  const currencies = site.value?.currencies ?? [];
  const currency = query.value.get('currency') ?? currencies[0] ?? null;
  const [pipeline, likely, won, cycle, velocity, sales] = [
    useVital(VALUE, currency),
    useVital(WEIGHTED, currency),
    useVital('win_rate', null),
    useVital('sales_cycle_length', null),
    useVital('deal_velocity', null),
    useVital('sales_velocity', currency),
  ];
  const goals = useResource<{ goals: Goal[] }>('/goals');
  // Levels have a value at any time, whatever the window; the largest part of a day is the present one.
  const stages = useBreakdown(VALUE, 'stage', currency, windowName.value);
  const weighted = useBreakdown(WEIGHTED, 'stage', currency, windowName.value);
  const owners = useBreakdown(VALUE, 'owner', currency, windowName.value);
  const figures = [pipeline, likely, won, cycle, velocity, sales].filter(vital => vital !== null);
  const own = (goals.data?.goals ?? []).filter(goal => catalog.value.get(goal.metric)?.group === 'sales' && (goal.currency ?? currency) === currency);
  const value = pipeline;

  return (
    <>
      <Head
        title={t('view.pipeline')}
        actions={
          <>
            <Share />
            <Export href={`/api/v1${path(`/metrics/${VALUE}/breakdown`, { by: 'stage', window: windowName.value, currency, format: 'csv' })}`} name="pipeline.csv" />
          </>
        }
      />
      {value?.now.value != null && (
        <p class="lede">
          {rich('pipeline.lede', { value: shown(value.now.value, 'money', value.now.currency) })}
          {value.change !== null && [' ', ...rich('pipeline.lede.change', { by: change(value.change, value.change_kind, 'money', value.now.currency) })]}
          {cycle?.now.value != null && [' ', ...rich('pipeline.lede.cycle', { time: shown(cycle.now.value, cycle.now.unit, null) })]}
        </p>
      )}
      <Tools
        metric={VALUE}
        extra={
          currencies.length > 1 && currency !== null ? (
            <Pick label={t('metric.currency')} value={currency} options={currencies.map(name => [name, name])} onChoose={name => amend({ currency: name })} />
          ) : undefined
        }
      />
      <section class="section" aria-label={t('pipeline.figures')}>
        <div class="vitals vitals-six">
          {figures.map(vital => (
            <Tile key={vitalKey(vital)} vital={vital} level={2} />
          ))}
        </div>
      </section>
      {own.length > 0 && (
        <Section title={t('view.goals')}>
          <ul class="panel list">
            {byDay(own).slice(0, 4).map((goal, place) => (
              <GoalRow key={place} goal={goal} />
            ))}
            <GoalMark />
          </ul>
        </Section>
      )}
      <Section title={t('pipeline.stages')} note={t('pipeline.stages.note', { window: windowTitle(windowName.value) })}>
        <div class="panel">
          {stages.failure !== null && stages.data === null && <Failed problem={stages.failure} again={stages.reload} />}
          {stages.data === null && stages.failure === null && <Bones />}
          {stages.data !== null && (
            <>
              <Funnel answer={stages.data} weighted={weighted.data} title={t('pipeline.stages')} />
              <p class="legend pad-note">
                <span>
                  <span class="swatch m-bar-soft" />
                  {t('pipeline.value')}
                </span>
                <span>
                  <span class="swatch m-bar" />
                  {t('pipeline.likely')}
                </span>
                <span>
                  <span class="upright" />
                  {t('pipeline.then')}
                </span>
              </p>
            </>
          )}
        </div>
      </Section>
      <div class="cols2">
        {['win_rate', 'sales_cycle_length'].map(name => (
          <Section key={name} title={metricTitle(name)} note={windowTitle(windowName.value)}>
            <div class="panel">
              <Trend metric={name} window={windowName.value} />
            </div>
          </Section>
        ))}
      </div>
      <Deals currency={currency} />
      <div class="cols2">
        <Section title={t('pipeline.owners')} note={t('pipeline.owners.note')}>
          <div class="panel">{owners.data === null ? <Bones /> : <BreakdownTable answer={owners.data} title={metricTitle(VALUE)} by="owner" />}</div>
        </Section>
        <Section title={t('pipeline.share.title')}>
          <div class="panel">{stages.data === null ? <Bones /> : <SharePanel answer={stages.data} title={t('pipeline.share.title')} />}</div>
        </Section>
      </div>
    </>
  );
}
