// One customer: what the score is, why it moved, what happened, what comes next by itself.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { path, segment } from '../api/client';
import { useResource } from '../api/resource';
import type { AccountPage, Contribution, Explain } from '../api/types';
import { Chart } from '../chart/Chart';
import type { Spec } from '../chart/spec';
import { decimal, money, signed, tick } from '../format/number';
import { ago, date, dayAfter, dayBefore, daysUntil, exact, monthName } from '../format/time';
import { accountName, bandTitle, componentTitle } from '../format/words';
import { named, rich, t } from '../i18n';
import { Bar } from '../marks/Bar';
import { AsOf, Glyph, ScoreMark, Stamp, toneOf } from '../marks/Glyph';
import { Behind } from '../parts/Behind';
import { Bones, Failed } from '../parts/Failed';
import { AlertItem, tooltip } from '../parts/lists';
import { Facts, Foreign, Head, Section } from '../parts/Section';
import { Share } from '../parts/Share';
import { Tile, vitalKey } from '../parts/Tile';
import { isOld, listenTo, now } from '../state/live';
import { amend, go, query } from '../state/router';
import { useKeys } from '../state/keys';
import { zone } from '../state/site';
import { Icon } from '../marks/icons';
import { Events } from './account/Events';
import { Moved, chosenDays, type Days } from './account/Moved';

const SHOWN_DAYS = 90;
const SINCE_DAYS = 30;
const AHEAD_DAYS = 30;
const DAY_MS = 86_400_000;
const bandOf = (score: number) => (score >= 70 ? 'healthy' : score >= 40 ? 'at_risk' : 'critical');
const noon = (day: string): number => Date.parse(`${day.slice(0, 10)}T12:00:00Z`);

export default function Account({ name }: { name: string }) {
  const page = useResource<AccountPage>(`/accounts/${segment(name)}`);
  // Days alone, so that the address of a request stays the same all day long.
  const today = dayBefore(now(), 0);
  // From the end of the day so many days ago, as the change of the score in lists: today is one of them.
  const usual: Days = { from: dayBefore(now(), SINCE_DAYS - 1), to: today };
  const days = chosenDays(query.value, usual);
  const isUsual = days.from === usual.from && days.to === usual.to;
  const moved = ({ from, to }: Days): string =>
    path(`/accounts/${segment(name)}/explain`, { metric: 'health_score', since: from, at: to === today ? null : dayAfter(to, 1) });
  const recent = useResource<Explain>(page.data === null ? null : moved(usual));
  const other = useResource<Explain>(page.data === null || isUsual ? null : moved(days));
  const explain = isUsual ? recent : other;
  const choose = (from: string, to: string): void => {
    const [first, last] = [from, to].map(day => (day > today ? today : day)).sort();
    amend(first === usual.from && last === usual.to ? { since: null, at: null } : { since: first ?? null, at: last === today ? null : (last ?? null) });
  };
  const [round, setRound] = useState(0);
  useEffect(
    () =>
      listenTo(`account:${name}`, frame => {
        const brought = frame.data as Partial<AccountPage>;
        if (brought.row !== undefined && brought.contributions !== undefined) page.update(() => frame.data as AccountPage);
        else if (!frame.isSnapshot) page.reload();
        if (frame.isSnapshot) return;
        recent.reload();
        other.reload();
        setRound(n => n + 1);
      }),
    [name],
  );
  useKeys({ e: () => go(`/alerts?account=${encodeURIComponent(name)}`) });
  const { data } = page;
  if (data === null)
    return (
      <>
        <Head title={<Foreign text={name} />} crumb={<a href="/accounts">{t('view.accounts')}</a>} />
        <div class="panel">{page.failure !== null ? <Failed problem={page.failure} again={page.reload} /> : <Bones lines={8} />}</div>
      </>
    );
  return (
    <>
      <Head
        title={
          <span class="head-name" title={tooltip(accountName(data.row))}>
            <Foreign text={accountName(data.row)} />
          </span>
        }
        crumb={
          <>
            <a href="/accounts">{t('view.accounts')}</a>
            {data.row.owner !== null && data.row.owner !== '' && (
              <>
                {' / '}
                <Foreign text={data.row.owner.slice(0, 80)} />
              </>
            )}
          </>
        }
        actions={
          <>
            {data.alerts.some(alert => alert.state === 'firing' || alert.state === 'pending') && (
              <a class="btn" href={`/alerts?account=${encodeURIComponent(name)}`} title={t('account.acknowledge.title')}>
                <Icon name="check" />
                <span>{t('alerts.acknowledge')}</span>
              </a>
            )}
            <Share />
          </>
        }
      />
      <Hero page={data} />
      <Story page={data} explain={recent.data} />
      <div class="columns">
        <aside class="rail" aria-label={t('account.todo')}>
          <ToDo page={data} />
          <Coming page={data} />
        </aside>
        <div>
          <ScoreLine page={data} explain={explain.data} days={days} choose={choose} />
          <Moved page={data} explain={explain.data} failure={explain.failure} days={days} isUsual={isUsual} choose={choose} usual={usual} again={explain.reload} />
          <Components page={data} />
          <Events account={name} explain={explain.data} round={round} />
        </div>
        <aside class="rail" aria-label={t('account.about')}>
          <Section
            title={t('view.alerts')}
            tools={
              <a class="link" href={`/alerts?account=${encodeURIComponent(name)}`}>
                {t('account.alerts.all')}
              </a>
            }
          >
            <ul class="panel list">
              {data.alerts.map(alert => (
                <AlertItem key={alert.id} alert={alert} named={false} />
              ))}
              {data.alerts.length === 0 && <li class="item note">{t('account.alerts.none')}</li>}
            </ul>
          </Section>
          <AboutAccount page={data} />
        </aside>
      </div>
      {data.values.length > 0 && (
        <Section title={t('account.values')}>
          <div class="vitals">
            {data.values.map(vital => (
              <Tile key={vitalKey(vital)} vital={vital} />
            ))}
          </div>
        </Section>
      )}
    </>
  );
}

function Hero({ page }: { page: AccountPage }) {
  const { row } = page;
  return (
    <div class="hero">
      <p class="hero-value">
        {row.score === null ? (
          <span class="none">{t('none')}</span>
        ) : (
          <>
            <Glyph tone={toneOf(row.band)} /> {decimal(row.score)}
            <span class="unit">{row.band === null ? t('account.of') : t('account.of.band', { band: bandTitle(row.band) })}</span>
          </>
        )}
      </p>
      <div class="hero-facts">
        {row.change !== null && <span>{rich('account.change', { by: <strong>{signed(row.change)}</strong> })}</span>}
        {row.mrr !== null && <span>{t('account.month', { money: money(row.mrr, row.mrr_currency ?? row.currency) })}</span>}
        {row.traits['plan'] !== undefined && (
          <span>
            <Foreign text={row.traits['plan'].slice(0, 60)} />
          </span>
        )}
        {row.last_seen !== null && <span title={exact(row.last_seen)}>{t('account.seen', { ago: ago(row.last_seen, now()) })}</span>}
        {isOld.value ? <AsOf /> : page.score !== null && <Stamp kind={page.score.stamp} words />}
      </div>
    </div>
  );
}

/** The sentence of the page: what took and what gave, from the parts that add up. */
function Story({ page, explain }: { page: AccountPage; explain: Explain | null }) {
  const parts = explain?.parts ?? [];
  const sum = (kinds: string[]): number =>
    parts.filter(part => kinds.includes(part.brought)).reduce((total, part) => total + Object.values(part.by).reduce((a, b) => a + b, 0), 0) / 10;
  if (page.row.score === null) return <p class="lede">{rich('account.story.none')}</p>;
  if (explain === null) return <p class="lede">{rich('account.story.now', { score: decimal(page.row.score) })}</p>;
  const [time, events, other] = [sum(['time']), sum(['event']), sum(['correction', 'definition'])];
  const total = (explain.change ?? 0) / 10;
  if (parts.length === 0 || total === 0) return <p class="lede">{rich('account.story.same', { days: SINCE_DAYS })}</p>;
  return (
    <p class="lede">
      {rich(total < 0 ? 'account.story.fell' : 'account.story.rose', { by: decimal(Math.abs(total)), days: SINCE_DAYS })}{' '}
      {rich('account.story.parts', { time: signed(time), events: signed(events) })}
      {other !== 0 && [' ', ...rich('account.story.corrections', { by: signed(other) })]}
    </p>
  );
}

/** The components that miss most of their points, and what helps. */
function ToDo({ page }: { page: AccountPage }) {
  const weak = page.contributions
    .map(of => ({ ...of, missing: of.of === null || of.points === null ? 0 : of.of - of.points }))
    .filter(of => of.missing > 0 && of.missing >= (of.of ?? 0) * 0.25)
    .sort((a, b) => b.missing - a.missing)
    .slice(0, 3);
  return (
    <Section title={t('account.todo')}>
      <div class="panel pad explain">
        {weak.length === 0 ? (
          <p>{t('account.todo.none')}</p>
        ) : (
          <ul>
            {weak.map(of => (
              <li key={of.component}>{named(`todo.${of.component}`, t('todo.other', { component: componentTitle(of.component, of.title) }))}</li>
            ))}
          </ul>
        )}
        {weak.length > 0 && <p class="note">{t('account.todo.note')}</p>}
      </div>
    </Section>
  );
}

function Coming({ page }: { page: AccountPage }) {
  const { row, projection } = page;
  let before = row.score;
  const steps = projection
    .map(of => {
      const by = of.score === null || before === null ? null : of.score - before;
      before = of.score ?? before;
      return { ...of, by };
    })
    .filter(of => of.by !== 0)
    .slice(0, 4);
  return (
    <Section title={t('account.coming')}>
      <ul class="panel list">
        {steps.map(of => (
          <li class="item" key={of.day}>
            <span class="item-name">{t('account.coming.day', { day: date(of.day), n: Math.max(0, daysUntil(of.day, now())) })}</span>
            <span class="item-end">
              <ScoreMark score={of.score} band={of.score === null ? null : bandOf(of.score)} /> {of.by !== null && <span class="muted">{signed(of.by)}</span>}
            </span>
            {of.components !== undefined && of.components.length > 0 ? (
              <span class="item-sub">{of.components.map(name => componentTitle(name)).join(', ')}</span>
            ) : (
              row.next !== null && row.next.day === of.day && <span class="item-sub">{componentTitle(row.next.component)}</span>
            )}
          </li>
        ))}
        {steps.length === 0 && <li class="item note">{t('account.coming.none')}</li>}
      </ul>
    </Section>
  );
}

const wide = matchMedia('(min-width: 40rem)');

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);

/** The days on which a score changed as one score a day: the newest so many days. */
function daily(scores: AccountPage['scores'], most: number): AccountPage['scores'] {
  const last = scores.at(-1);
  if (last === undefined) return [];
  const out: AccountPage['scores'] = [];
  let next = scores.length - 1;
  for (let at = noon(last.day); out.length < most; at -= DAY_MS) {
    const day = dayOf(at);
    while (next >= 0 && (scores[next]?.day.slice(0, 10) ?? '') > day) next--;
    const known = scores[next];
    if (known === undefined) break;
    out.push({ day, score: known.score });
  }
  return out.reverse();
}

function scoreSpec(page: AccountPage, explain: Explain | null, days: Days, choose: (from: string, to: string) => void): Spec | null {
  const past = daily(page.scores, SHOWN_DAYS);
  if (past.length < 2) return null;
  const lastDay = past.at(-1)?.day ?? '';
  const values = past.map(of => of.score);
  const x = past.map(of => noon(of.day));
  const today = x.at(-1) ?? 0;
  // Ahead: what time alone will do, a step at each day on which it does something.
  let score = values.at(-1) ?? null;
  const steps = new Map(page.projection.map(of => [of.day.slice(0, 10), of.score]));
  for (let day = 1; day <= AHEAD_DAYS; day++) {
    const at = today + day * DAY_MS;
    score = steps.get(new Date(at).toISOString().slice(0, 10)) ?? score;
    x.push(at);
    values.push(score);
  }
  const cut = past.length - 1;
  const moments = new Map<string, number>();
  for (const part of explain?.parts ?? [])
    if (part.brought !== 'time') {
      const day = part.at.slice(0, 10);
      moments.set(day, (moments.get(day) ?? 0) + Object.values(part.by).reduce((a, b) => a + b, 0));
    }
  const first = x[0] ?? 0;
  const say = (value: number | null): string => (value === null ? t('none') : decimal(value));
  return {
    label: t('account.line.label', { now: say(past.at(-1)?.score ?? null), then: say(past[0]?.score ?? null), from: date(past[0]?.day ?? lastDay, true) }),
    x,
    height: wide.matches ? 320 : 260,
    min: 0,
    max: 100,
    ticks: [0, 40, 70, 100],
    tick: value => tick(value, 'count', null),
    date: (at, withYear) => date(at, withYear),
    month: monthName,
    zone: zone.value,
    zones: [
      { low: 70, high: 100, tone: 'good', label: bandTitle('healthy') },
      { low: 40, high: 70, tone: 'warn', label: bandTitle('at_risk') },
      { low: 0, high: 40, tone: 'bad', label: bandTitle('critical') },
    ],
    lines: [{ values, look: 'trend', isStep: true, dashedFrom: cut }],
    end: past[cut]?.score == null ? undefined : { place: cut, value: past[cut]?.score ?? 0 },
    now: today,
    chosen: { from: noon(dayAfter(days.from, -1)), to: noon(days.to) },
    onChoose: (from, to) => choose(dayOf(x[from] ?? today), dayOf(x[to] ?? today)),
    lane: [...moments].map(([day, by]) => ({ at: noon(day), tone: by < 0 ? ('bad' as const) : by > 0 ? ('good' as const) : ('plain' as const) })).filter(of => of.at >= first),
    laneLabel: t('account.line.events'),
    rest: () => <span class="note">{t('account.line.rest')}</span>,
    read: place => {
      const value = values[place] ?? null;
      return (
        <>
          <strong>{date(dayOf(x[place] ?? 0), true)}</strong>
          <span>
            {rich('account.line.read', { score: <strong>{say(value)}</strong> })}
            {value !== null && ` ${bandTitle(bandOf(value))}`}
          </span>
          {place > cut && <span>{t('account.coming')}</span>}
        </>
      );
    },
  };
}

interface LineProps {
  page: AccountPage;
  explain: Explain | null;
  days: Days;
  choose: (from: string, to: string) => void;
}

function ScoreLine({ page, explain, days, choose }: LineProps) {
  const spec = useMemo(() => scoreSpec(page, explain, days, choose), [page, explain, days.from, days.to]);
  const scores = page.scores.slice(-SHOWN_DAYS);
  return (
    <section class="section" aria-labelledby="line-title">
      <div class="panel">
        <div class="chart-head">
          <h2 id="line-title">{t('account.line', { days: SHOWN_DAYS })}</h2>
          <div class="section-tools">
            <span class="legend legend-inline">
              <span>
                <span class="dash" /> {t('account.coming')}
              </span>
            </span>
          </div>
        </div>
        {spec === null ? <p class="pad note">{t('metric.novalues')}</p> : <Chart spec={spec} />}
        <Behind
          caption={t('account.behind')}
          heads={[t('behind.day'), t('accounts.score'), t('metrics.change'), t('account.band')]}
          rows={() =>
            scores
              .map((of, place) => ({ ...of, by: place === 0 || of.score === null ? null : of.score - (scores[place - 1]?.score ?? of.score) }))
              .filter((of, place) => place === 0 || of.by !== 0)
              .reverse()
              .map(of => [
                date(of.day, true),
                of.score === null ? t('none') : decimal(of.score),
                of.by === null ? '' : signed(of.by),
                of.score === null ? '' : bandTitle(bandOf(of.score)),
              ])
          }
        />
      </div>
    </section>
  );
}

/** What a component rests on, in the reader's language where its kind is known. */
function Input({ of }: { of: Contribution }) {
  const { kind, value, among } = of.input ?? { kind: '', value: null, among: null };
  const known: Record<string, () => string> = {
    days_since: () => t('input.days_since', { n: value ?? 0 }),
    days_with: () => t('input.days_with', { n: value ?? 0, of: among ?? 0 }),
    satisfaction: () => t('input.satisfaction', { n: value ?? 0, of: among ?? 0 }),
    open_tickets: () => t('input.open_tickets', { n: value ?? 0 }),
    failing_payment: () => t(value === 1 ? 'input.failing_payment.yes' : 'input.failing_payment.no'),
  };
  const say = known[kind];
  if (say === undefined) return of.inputs === '' ? null : <span class="sub" lang="en">{of.inputs}</span>;
  return <span class="sub">{value === null ? t('input.none') : say()}</span>;
}

function Components({ page }: { page: AccountPage }) {
  const most = Math.max(...page.contributions.map(of => of.of ?? 0), 1);
  const per = (points: number): number => (points / most) * 100;
  const known = page.contributions.some(of => of.before !== null);
  return (
    <Section title={t('account.components', { n: page.contributions.length })} note={t('account.components.note')}>
      <div class="panel">
        <table class="table">
          <caption class="vh">{t('account.components', { n: page.contributions.length })}</caption>
          <thead>
            <tr>
              <th scope="col">{t('account.component')}</th>
              <th scope="col" class="bar-cell p2">
                <span class="vh">{t('breakdown.bar')}</span>
              </th>
              <th scope="col" class="num p3">
                {t('account.weight')}
              </th>
              {known && (
                <th scope="col" class="num p3">
                  {t('breakdown.before')}
                </th>
              )}
              <th scope="col" class="num">
                {t('metrics.now')}
              </th>
              {known && (
                <th scope="col" class="num">
                  {t('metrics.change')}
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {page.contributions.map(of => (
              <tr key={of.component}>
                <th scope="row">
                  {componentTitle(of.component, of.title)}
                  <Input of={of} />
                </th>
                <td class="bar-cell p2">
                  <Bar
                    parts={[...(of.of === null ? [] : [{ from: 0, to: per(of.of), cls: 'm-track' }]), ...(of.points === null ? [] : [{ from: 0, to: per(of.points), cls: 'm-bar' }])]}
                    ticks={of.before === null ? [] : [per(of.before)]}
                  />
                </td>
                <td class="num p3 muted">{of.weight}</td>
                {known && <td class="num p3 muted">{of.before === null ? '' : decimal(of.before)}</td>}
                <td class="num">
                  <strong>{of.points === null ? t('none') : decimal(of.points)}</strong>
                </td>
                {known && <td class="num">{of.before === null || of.points === null ? '' : signed(of.points - of.before)}</td>}
              </tr>
            ))}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row">{t('accounts.score')}</th>
              <td class="p2" />
              <td class="num p3">{page.contributions.reduce((sum, of) => sum + of.weight, 0)}</td>
              {known && <td class="num p3">{page.row.score_before === null ? '' : decimal(page.row.score_before)}</td>}
              <td class="num">{page.row.score === null ? t('none') : decimal(page.row.score)}</td>
              {known && <td class="num">{page.row.change === null ? '' : signed(page.row.change)}</td>}
            </tr>
          </tfoot>
        </table>
      </div>
    </Section>
  );
}

const HIDDEN = new Set(['name', 'company', 'owner', 'custom']);
const CELL_MOST = 300;

function AboutAccount({ page }: { page: AccountPage }) {
  const { row } = page;
  const rows: [preact.ComponentChildren, preact.ComponentChildren][] = [[t('accounts.owner'), row.owner === null || row.owner === '' ? t('accounts.nobody') : <Foreign text={row.owner.slice(0, CELL_MOST)} />]];
  for (const [name, value] of Object.entries(row.traits)) if (!HIDDEN.has(name)) rows.push([<Foreign text={named(`dimension.${name}`, name).slice(0, 60)} />, <Foreign text={String(value).slice(0, CELL_MOST)} />]);
  const customer = page.facts.find(fact => fact.name === 'customer');
  const until = customer?.fields['until'];
  if (customer?.at != null) rows.push([t('account.since'), date(customer.at, true)]);
  if (typeof until === 'string') rows.push([t('account.until'), date(until, true)]);
  if (page.first_seen !== null) rows.push([t('account.first'), date(page.first_seen, true)]);
  if (row.last_seen !== null) rows.push([t('accounts.seen'), <span title={exact(row.last_seen)}>{date(row.last_seen, true)}</span>]);
  if (row.mrr !== null) rows.push([t('accounts.month'), money(row.mrr, row.mrr_currency ?? row.currency)]);
  if (row.value !== null) rows.push([t('accounts.value'), money(row.value, row.currency)]);
  rows.push([t('account.id'), <span class="mono"><Foreign text={row.account.slice(0, CELL_MOST)} /></span>]);
  for (const alias of page.aliases.slice(0, 5)) rows.push([t('account.alias'), <span class="mono"><Foreign text={alias.slice(0, CELL_MOST)} /></span>]);
  return (
    <Section title={t('account.facts')}>
      <div class="panel pad">
        <Facts rows={rows} />
      </div>
    </Section>
  );
}
