// Overview: is anything wrong, and where? A sentence says it, the tiles show it, the rail names the customers.
import { useEffect } from 'preact/hooks';
import { path } from '../api/client';
import { useResource } from '../api/resource';
import type { Alert, Bands, Overview as Answer, Stamp as Kind, Vital } from '../api/types';
import { count } from '../format/number';
import { span } from '../format/time';
import { groupTitle, metricTitle, stampTitle, stampWords } from '../format/words';
import { listed, rich, t } from '../i18n';
import { AsOf, StampGlyph } from '../marks/Glyph';
import { Icon } from '../marks/icons';
import { Empty, Failed } from '../parts/Failed';
import { AccountItem, AlertItem, GoalMark, GoalRow, Health, byDay } from '../parts/lists';
import { Head, Section } from '../parts/Section';
import { Export, Share } from '../parts/Share';
import { Tile, TileBones, vitalKey } from '../parts/Tile';
import { Tools } from '../parts/Tools';
import { alertsFiring } from '../state/alerts';
import { filters, link } from '../state/filters';
import { isOld, listenTo } from '../state/live';
import { site } from '../state/site';

const GOALS_MOST = 6;

interface Delta {
  vitals?: Vital[];
  alerts?: Alert[];
  alerts_firing?: number;
  bands?: Bands;
}

/** The answer with what changed put in place; a tile whose vital is the same object is not drawn again. */
function amended(old: Answer, delta: Delta): Answer {
  const fresh = new Map((delta.vitals ?? []).map(vital => [vitalKey(vital), vital]));
  return {
    ...old,
    groups: old.groups.map(group => ({ ...group, vitals: group.vitals.map(vital => fresh.get(vitalKey(vital)) ?? vital) })),
    alerts: delta.alerts ?? old.alerts,
    alerts_firing: delta.alerts_firing ?? old.alerts_firing,
    bands: delta.bands ?? old.bands,
  };
}

export default function Overview() {
  const answer = useResource<Answer>(path('/overview', filters.value));
  const { data, update } = answer;
  useEffect(
    () =>
      listenTo('overview', frame => {
        const brought = frame.data as Partial<Answer> & Delta;
        if (frame.isSnapshot && brought.groups !== undefined) update(() => frame.data as Answer);
        else update(old => amended(old, brought));
      }),
    [],
  );
  useEffect(() => {
    if (data !== null) alertsFiring.value = data.alerts_firing;
  }, [data?.alerts_firing]);

  return (
    <>
      <Head
        title={t('overview.title')}
        actions={
          <>
            <a class="btn" href={link('/boards/new')}>
              <Icon name="edit" />
              <span>{t('overview.edit')}</span>
            </a>
            <Share />
            <Export href="/api/v1/accounts?format=csv" name="accounts.csv" />
          </>
        }
      />
      {/* Nothing is drawn before there is something to show, so that nothing has to move. */}
      {(data !== null || answer.slow || answer.failure !== null) && (
        <>
          {data === null ? answer.slow && <p class="lede bone w-3" aria-busy="true" /> : <Lede answer={data} />}
          <nav class="jump chips" aria-label={t('overview.jump')}>
            {(['signs', 'risk', 'alerts', 'goals'] as const).map(part => (
              <a class="btn" href={`#${part}`}>
                {t(`overview.jump.${part}`)}
              </a>
            ))}
          </nav>
          <Tools extra={<span class="note pick-label">{data === null ? '' : <Period answer={data} />}</span>} />
          {answer.failure !== null && data === null ? (
            <div class="panel">
              <Failed problem={answer.failure} again={answer.reload} />
            </div>
          ) : (
            <div class="columns" key={data === null ? 'bones' : 'signs'}>
              <div id="signs">
                {data !== null && data.groups.map(group => <Group key={group.id} id={group.id} title={group.title} vitals={group.vitals} />)}
                {data !== null && data.groups.every(group => group.vitals.length === 0) && <NoEvents />}
                {data === null && answer.slow && <Loading />}
                <Legend />
              </div>
              {data !== null && <Rail answer={data} />}
            </div>
          )}
        </>
      )}
    </>
  );
}

function Period({ answer }: { answer: Answer }) {
  const { start, end } = answer.groups.flatMap(group => group.vitals).find(vital => vital.now.window.start !== null)?.now.window ?? { start: null, end: null };
  if (start === null || end === null) return null;
  const currencies = site.value?.currencies ?? [];
  return <>{currencies.length === 0 ? span(start, end) : t('overview.period', { span: span(start, end), currencies: currencies.join(', ') })}</>;
}

function Lede({ answer }: { answer: Answer }) {
  const { worse, better, total } = answer.sentence;
  const titles = new Map(answer.groups.flatMap(group => group.vitals).map(vital => [vital.metric, vital.title]));
  const links = (names: string[]) =>
    listed(
      [...new Set(names)].map(name => <a href={link(`/metrics/${encodeURIComponent(name)}`)}>{metricTitle(name, titles.get(name))}</a>),
    );
  const out = worse.length + better.length;
  if (total === 0) return null;
  return (
    <p class="lede">
      {out === 0 ? rich('overview.calm', { total }) : rich('overview.outside', { n: out, total })}
      {worse.length > 0 && [' ', ...rich('overview.worse', { list: links(worse) })]}
      {better.length > 0 && [' ', ...rich('overview.better', { list: links(better) })]}
      {out > 0 && out < total && [' ', ...rich('overview.rest', { n: total - out })]}
    </p>
  );
}

function Group({ id, title, vitals }: { id: string; title: string; vitals: Vital[] }) {
  const worse = vitals.filter(vital => vital.verdict === 'worse').length;
  const better = vitals.filter(vital => vital.verdict === 'better').length;
  if (vitals.length === 0) return null;
  const note =
    worse > 0 && better > 0
      ? t('group.both', { worse, better })
      : worse > 0
        ? t('group.worse', { n: worse })
        : better > 0
          ? t('group.better', { n: better })
          : t('group.calm');
  const many = new Set(vitals.map(vital => vital.now.currency).filter(currency => currency !== null)).size > 1;
  return (
    <Section title={groupTitle(id, title)} note={note}>
      <div class="vitals">
        {vitals.map(vital => (
          <Tile
            key={vitalKey(vital)}
            vital={vital}
            title={many && vital.now.currency !== null ? t('tile.currency', { title: metricTitle(vital.metric, vital.title), currency: vital.now.currency }) : undefined}
          />
        ))}
      </div>
    </Section>
  );
}

const Loading = () => (
  <section class="section" aria-busy="true">
    <p class="vh">{t('loading')}</p>
    <div class="vitals">
      {Array.from({ length: 12 }, (_, place) => (
        <TileBones key={place} />
      ))}
    </div>
  </section>
);

const NoEvents = () => (
  <div class="panel">
    <Empty title={t('empty.events')}>
      <p>{t('empty.events.words')}</p>
      <ol class="ways">
        <li>
          <span>{rich('empty.events.demo')}</span>
          <code class="mono">make demo</code>
        </li>
        <li>
          <span>{rich('empty.events.post')}</span>
          <code class="mono">POST /v1/events</code>
        </li>
        <li>
          <span>{rich('empty.events.import')}</span>
          <code class="mono">vitals import FILE --server {location.origin}</code>
        </li>
      </ol>
    </Empty>
  </div>
);

const KINDS: Kind[] = ['open', 'settling', 'final', 'corrected', 'level', 'late'];
const Legend = () => (
  <p class="legend">
    <span>
      <span class="swatch m-usual" />
      {t('legend.usual')}
    </span>
    {KINDS.map(kind => (
      <span>
        <StampGlyph kind={kind} /> {t('stamp.title', { name: stampTitle(kind), words: stampWords(kind) })}
      </span>
    ))}
  </p>
);

function Rail({ answer }: { answer: Answer }) {
  const { bands, alerts, goals } = answer;
  const total = bands.healthy + bands.at_risk + bands.critical;
  const old = isOld.value ? <AsOf /> : null;
  const onTrack = goals.filter(goal => goal.state === 'on_track' || goal.state === 'met').length;
  return (
    <aside class="rail" aria-label={t('overview.rail')}>
      <Section id="risk" title={t('overview.health', { n: total })} note={old ?? (answer.bands_before === null ? null : t('overview.health.note'))}>
        <Health bands={bands} before={answer.bands_before} />
      </Section>
      <Section
        title={t('overview.risk')}
        note={old ?? t('overview.risk.note')}
        tools={
          <a class="link" href="/accounts">
            {t('overview.risk.all', { n: bands.at_risk + bands.critical })}
          </a>
        }
      >
        <ul class="panel list">
          {answer.at_risk.map(row => (
            <AccountItem key={row.account} row={row} />
          ))}
          {answer.at_risk.length === 0 && <li class="item note">{t('overview.risk.none')}</li>}
        </ul>
      </Section>
      <Section
        id="alerts"
        title={t('view.alerts')}
        tools={
          <a class="link" href="/alerts">
            {t('overview.alerts.firing', { n: answer.alerts_firing })}
          </a>
        }
      >
        <ul class="panel list">
          {alerts.map(alert => (
            <AlertItem key={alert.id} alert={alert} />
          ))}
          {alerts.length === 0 && <li class="item note">{t('alerts.none')}</li>}
        </ul>
      </Section>
      <Section id="goals" title={t('view.goals')} note={goals.length === 0 ? null : t('overview.goals.note', { n: onTrack, total: count(goals.length) })}>
        <ul class="panel list">
          {byDay(goals).slice(0, GOALS_MOST).map((goal, place) => (
            <GoalRow key={place} goal={goal} />
          ))}
          {goals.length > 0 ? <GoalMark /> : <li class="item note">{t('goals.none')}</li>}
        </ul>
      </Section>
    </aside>
  );
}
