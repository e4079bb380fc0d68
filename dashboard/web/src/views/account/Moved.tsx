// Why the score moved between two days: before, what time did, what each event did, corrections and new definitions, after.
// Each row adds up to the decimal. The days are in the address; they are chosen here, or on the chart.
import { useEffect, useState } from 'preact/hooks';
import { get, path, segment } from '../../api/client';
import type { AccountPage, EventsAnswer, Explain, ExplainPart, Problem } from '../../api/types';
import { decimal, signed } from '../../format/number';
import { date, dayAfter, moment } from '../../format/time';
import { componentTitle } from '../../format/words';
import { listed, named, t } from '../../i18n';
import { FallBar } from '../../marks/Bar';
import { Button } from '../../parts/Button';
import { Bones, Failed } from '../../parts/Failed';
import { Section } from '../../parts/Section';

/** Two local days, both included. */
export interface Days {
  from: string;
  to: string;
}

const DAY = /^\d{4}-\d\d-\d\d$/;

/** The days of the address, else the usual ones. */
export function chosenDays(query: URLSearchParams, usual: Days): Days {
  const day = (name: string, otherwise: string): string => {
    const text = query.get(name) ?? '';
    return DAY.test(text) && text <= usual.to && Number.isFinite(Date.parse(text)) ? text : otherwise;
  };
  const [from, to] = [day('since', usual.from), day('at', usual.to)];
  return from <= to ? { from, to } : { from: to, to: from };
}

interface Row {
  key: string;
  title: string;
  sub: preact.ComponentChildren;
  tenths: number;
  cls: string;
}

/** Rows of one kind of cause; what does not fit on the page is one row, so that all of it adds up. */
const ROWS_MOST = 15;
const PAGE = 200;
const PAGES_MOST = 10;

const sumOf = (by: Record<string, number>): number => Object.values(by).reduce((a, b) => a + b, 0);
const keyOf = (part: { source?: string; id?: string }): string => `${part.source ?? ''}/${part.id ?? ''}`;
const tone = (tenths: number, isTime: boolean): string => (tenths > 0 ? 'm-bar-good' : isTime ? 'm-bar-time-bad' : 'm-bar-bad');

/** What time did, by component. */
function timeRows(parts: ExplainPart[], title: (component: string) => string): Row[] {
  const by = new Map<string, number>();
  for (const part of parts) for (const [component, tenths] of Object.entries(part.by)) by.set(component, (by.get(component) ?? 0) + tenths);
  return [...by]
    .filter(([, tenths]) => tenths !== 0)
    .sort((a, b) => a[1] - b[1])
    .map(([component, tenths]) => ({ key: component, title: title(component), sub: null, tenths, cls: tone(tenths, true) }));
}

/** What each event did, in the order of time; of many the largest. `types` says of which type an event is. */
function eventRows(parts: ExplainPart[], title: (component: string) => string, types: Map<string, string>): Row[] {
  const all = parts
    .filter(part => Object.values(part.by).some(tenths => tenths !== 0))
    .sort((a, b) => Math.abs(sumOf(b.by)) - Math.abs(sumOf(a.by)));
  const rest = all.length > ROWS_MOST ? all.splice(ROWS_MOST - 1) : [];
  const rows = all
    .sort((a, b) => a.at.localeCompare(b.at))
    .map((part, place): Row => {
      const type = types.get(keyOf(part));
      const name = part.brought === 'definition' ? t('moved.definition') : type === undefined ? t('moved.one') : named(`event.${type}`, type);
      const components = Object.entries(part.by)
        .filter(([, tenths]) => tenths !== 0)
        .map(([component, tenths]) => t('moved.part', { component: title(component), by: signed(tenths / 10) }));
      return {
        key: `${place}/${keyOf(part)}`,
        title: name,
        sub: (
          <>
            <span>{moment(part.at)}</span>
            {part.id !== undefined && (
              <>
                {', '}
                <bdi class="mono">{part.id.slice(0, 80)}</bdi>
              </>
            )}
            {': '}
            {listed(components)}
          </>
        ),
        tenths: sumOf(part.by),
        cls: tone(sumOf(part.by), false),
      };
    });
  if (rest.length === 0) return rows;
  const tenths = rest.reduce((sum, part) => sum + sumOf(part.by), 0);
  return [...rows, { key: 'rest', title: t('moved.rest', { n: rest.length }), sub: null, tenths, cls: tone(tenths, false) }];
}

/** The types of the events that an explanation names: read from the account's events, as far back as they go. */
function useTypes(account: string, explain: Explain | null): Map<string, string> {
  const [types, setTypes] = useState<Map<string, string>>(new Map());
  const wanted = (explain?.parts ?? []).filter(part => part.id !== undefined && !types.has(keyOf(part))).length;
  useEffect(() => {
    if (wanted === 0) return undefined;
    const abort = new AbortController();
    const read = async (): Promise<void> => {
      const found = new Map(types);
      let cursor: string | null = null;
      for (let page = 0; page < PAGES_MOST; page++) {
        const answer: { data: EventsAnswer } = await get<EventsAnswer>(path(`/accounts/${segment(account)}/events`, { limit: PAGE, cursor }), abort.signal);
        for (const event of answer.data.events) found.set(keyOf(event), event.type);
        cursor = answer.data.next;
        const isThere = (explain?.parts ?? []).every(part => part.id === undefined || found.has(keyOf(part)));
        if (cursor === null || isThere) break;
      }
      setTypes(found);
    };
    read().catch(() => undefined);
    return () => abort.abort();
  }, [account, explain]);
  return types;
}

interface Props {
  page: AccountPage;
  explain: Explain | null;
  failure: Problem | null;
  days: Days;
  usual: Days;
  isUsual: boolean;
  again: () => void;
  choose: (from: string, to: string) => void;
}

export function Moved({ page, explain, failure, days, usual, isUsual, again, choose }: Props) {
  const types = useTypes(page.row.account, explain);
  const field = (label: string, value: string, change: (day: string) => void) => (
    <label class="pick">
      <span class="pick-label">{label}</span>
      <input type="date" class="pick-value" value={value} max={usual.to} required onChange={event => DAY.test(event.currentTarget.value) && change(event.currentTarget.value)} />
    </label>
  );
  const tools = (
    <>
      {field(t('moved.from'), days.from, day => choose(day, days.to))}
      {field(t('moved.to'), days.to, day => choose(days.from, day))}
      {!isUsual && <Button text={t('moved.usual')} onClick={() => choose(usual.from, usual.to)} />}
    </>
  );
  return (
    <Section id="moved" title={t('moved.title')} note={t('moved.note')} tools={tools}>
      <div class="panel pad">
        {explain !== null ? (
          <Falls page={page} explain={explain} days={days} today={usual.to} types={types} />
        ) : failure !== null ? (
          <Failed problem={failure} again={again} />
        ) : (
          <Bones lines={6} />
        )}
      </div>
    </Section>
  );
}

interface FallsProps {
  page: AccountPage;
  explain: Explain;
  days: Days;
  today: string;
  types: Map<string, string>;
}

function Falls({ page, explain, days, today, types }: FallsProps) {
  const after = (explain.tenths ?? 0) / 10;
  const before = after - (explain.change ?? 0) / 10;
  const titles = new Map(page.contributions.map(of => [of.component, of.title]));
  const title = (component: string): string => componentTitle(component, titles.get(component));
  const parts = explain.parts ?? [];
  const of = (brought: ExplainPart['brought']): ExplainPart[] => parts.filter(part => part.brought === brought);
  const groups: [string, Row[]][] = [
    [t('moved.time'), timeRows(of('time'), title)],
    [t('moved.event'), eventRows(of('event'), title, types)],
    [t('moved.other'), eventRows([...of('correction'), ...of('definition')], title, types)],
  ];
  let level = before;
  const row = (of: Row) => {
    const start = level;
    level += of.tenths / 10;
    return (
      <tr key={of.key}>
        <th scope="row" class="fall-name">
          {of.title}
          {of.sub !== null && <span class="sub">{of.sub}</span>}
        </th>
        <td class="fall-bar">
          <FallBar start={start} end={level} cls={of.cls} />
        </td>
        <td class={`fall-num ${of.tenths < 0 ? 'is-bad-text' : of.tenths > 0 ? 'is-good-text' : ''}`}>{signed(of.tenths / 10)}</td>
      </tr>
    );
  };
  const group = (name: string, rows: Row[]) => (
    <tbody key={name}>
      <tr class="fall-group">
        <th scope="rowgroup" class="fall-name">
          {name}
        </th>
        <td class="fall-bar">
          <FallBar start={level} end={level} />
        </td>
        <td class="fall-num">{signed(rows.reduce((sum, of) => sum + of.tenths, 0) / 10)}</td>
      </tr>
      {rows.map(row)}
    </tbody>
  );
  const end = (name: string, value: number | null, last: boolean) => (
    <tbody>
      <tr class="fall-end">
        <th scope="row" class="fall-name">
          {name}
        </th>
        <td class="fall-bar">{value !== null && <FallBar start={0} end={value} cls="m-bar-ink" first last={last} />}</td>
        <td class="fall-num">{value === null ? t('none') : decimal(value)}</td>
      </tr>
    </tbody>
  );
  const hadScore = explain.published !== undefined && explain.published !== null;
  return (
    <>
      <table class="fall">
        <caption class="vh">{t('moved.caption', { from: hadScore ? decimal(before) : t('none'), to: explain.tenths === null ? t('none') : decimal(after) })}</caption>
        <thead>
          <tr>
            <th scope="col">
              <span class="vh">{t('moved.cause')}</span>
            </th>
            <td class="fall-bar">
              <span class="fall-axis" aria-hidden="true">
                {['0', '40', '70', '100'].map(edge => (
                  <span class={`at-${edge}`}>{edge}</span>
                ))}
              </span>
            </td>
            <th scope="col">
              <span class="vh">{t('moved.points')}</span>
            </th>
          </tr>
        </thead>
        {end(t('moved.end', { day: date(dayAfter(days.from, -1)) }), hadScore ? before : null, false)}
        {groups.map(([name, rows]) => group(name, rows))}
        {end(days.to === today ? t('moved.now') : t('moved.end', { day: date(days.to) }), explain.tenths === null ? null : after, true)}
      </table>
      <p class="legend">
        <span>
          <span class="swatch swatch-hatch" /> {t('moved.legend.time')}
        </span>
        <span>
          <span class="swatch m-bar-bad" /> {t('moved.legend.down')}
        </span>
        <span>
          <span class="swatch m-bar-good" /> {t('moved.legend.up')}
        </span>
      </p>
    </>
  );
}
