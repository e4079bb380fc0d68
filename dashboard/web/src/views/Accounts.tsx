// Accounts: the worst first, by their steepest fall. A list of people beats a chart of people.
import { Component, type ComponentChildren } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { API, path } from '../api/client';
import { useResource } from '../api/resource';
import type { AccountRow, AccountsAnswer, Band } from '../api/types';
import { count, money, signed } from '../format/number';
import { ago, daysUntil, exact } from '../format/time';
import { accountName, bandTitle, componentTitle } from '../format/words';
import { language, rich, t } from '../i18n';
import { Swing } from '../marks/Bar';
import { Glyph, ScoreMark, toneOf } from '../marks/Glyph';
import { Icon } from '../marks/icons';
import { Button, Pick } from '../parts/Button';
import { Bones, Empty, Failed } from '../parts/Failed';
import { reasonOf, tooltip } from '../parts/lists';
import { Head } from '../parts/Section';
import { Export, Share } from '../parts/Share';
import { usePages, useWindow } from '../parts/useRows';
import { amend, go, query } from '../state/router';
import { useKeys } from '../state/keys';
import { now } from '../state/live';

const STEEP = 15;
const SILENT_DAYS = 14;
const DAY_MS = 86_400_000;
const WAIT_MS = 200;
type Sort = 'score' | '-score' | 'fall' | 'value' | 'last_seen';

interface Column {
  id: string;
  name: string;
  cls: string;
  /** What a click on the head sorts by; a second click by the other. */
  sorts?: [Sort, Sort?];
  cell(row: AccountRow): ComponentChildren;
}

const muted = (children: ComponentChildren) => <span class="muted">{children}</span>;

function columns(): Column[] {
  return [
    { id: 'score', name: t('accounts.score'), cls: 'num', sorts: ['score', '-score'], cell: row => <ScoreMark score={row.score} band={row.band} /> },
    {
      id: 'swing',
      name: t('accounts.swing'),
      cls: 'swing-cell p2',
      cell: row => (row.score === null || row.score_before === null ? null : <Swing was={row.score_before} now={row.score} />),
    },
    {
      id: 'fall',
      name: t('accounts.change'),
      cls: 'num',
      sorts: ['fall'],
      cell: row =>
        row.change === null ? (
          muted('')
        ) : (
          <span class={row.change <= -STEEP ? 'is-bad-text' : row.change >= STEEP ? 'is-good-text' : 'muted'}>{signed(row.change)}</span>
        ),
    },
    { id: 'reason', name: t('accounts.reason'), cls: 'p3', cell: row => muted(reasonOf(row)) },
    { id: 'mrr', name: t('accounts.month'), cls: 'num p2', cell: row => (row.mrr === null ? '' : money(row.mrr, row.mrr_currency ?? row.currency)) },
    {
      id: 'value',
      name: t('accounts.value'),
      cls: 'num p5',
      sorts: ['value'],
      cell: row => muted(row.value === null ? '' : money(row.value, row.currency)),
    },
    {
      id: 'owner',
      name: t('accounts.owner'),
      cls: 'p4',
      cell: row =>
        row.owner === null || row.owner === '' ? (
          <span class="tag is-warn">{t('accounts.nobody')}</span>
        ) : (
          <span class="muted cell-short" title={tooltip(row.owner)}>
            <bdi>{row.owner}</bdi>
          </span>
        ),
    },
    {
      id: 'plan',
      name: t('accounts.plan'),
      cls: 'p5',
      cell: row => (
        <span class="muted cell-short">
          <bdi>{row.traits['plan'] ?? ''}</bdi>
        </span>
      ),
    },
    {
      id: 'seen',
      name: t('accounts.seen'),
      cls: 'num p2',
      sorts: ['last_seen'],
      cell: row =>
        row.last_seen === null ? (
          ''
        ) : (
          <span class={now() - Date.parse(row.last_seen) >= SILENT_DAYS * DAY_MS ? '' : 'muted'} title={exact(row.last_seen)}>
            {ago(row.last_seen, now())}
          </span>
        ),
    },
    {
      id: 'next',
      name: t('accounts.next'),
      cls: 'num p5',
      cell: row =>
        row.next === null ? (
          ''
        ) : (
          <span class="muted" title={t('accounts.next.title', { component: componentTitle(row.next.component) })}>
            {t('accounts.next.in', { n: Math.max(0, daysUntil(row.next.day, now())), score: signed(row.next.score - (row.score ?? 0)) })}
          </span>
        ),
    },
  ];
}

const BANDS: Band[] = ['critical', 'at_risk', 'healthy'];

export default function Accounts() {
  const asked = query.value;
  const sort = (asked.get('sort') ?? 'fall') as Sort;
  const band = asked.get('band');
  const owner = asked.get('owner');
  const plan = asked.get('trait.plan');
  const q = asked.get('q');
  const wanted = { q, sort, band, owner, 'trait.plan': plan };
  const list = usePages<AccountRow, AccountsAnswer>('/accounts', wanted, answer => answer.accounts);
  const all = useResource<AccountsAnswer>(path('/accounts', { limit: 1 }));
  const risk = useResource<AccountsAnswer>(path('/accounts', { band: 'at_risk', limit: 1 }));
  const critical = useResource<AccountsAnswer>(path('/accounts', { band: 'critical', limit: 1 }));
  const healthy = useResource<AccountsAnswer>(path('/accounts', { band: 'healthy', limit: 1 }));
  const counts: Record<Band, number | null> = {
    critical: critical.data?.total ?? null,
    at_risk: risk.data?.total ?? null,
    healthy: healthy.data?.total ?? null,
  };
  // Accounts that are no customers now have no score, and no band.
  const scored = counts.critical === null || counts.at_risk === null || counts.healthy === null ? null : counts.critical + counts.at_risk + counts.healthy;
  const unscored = all.data === null || scored === null ? 0 : all.data.total - scored;
  const isFiltered = [q, band, owner, plan].some(filter => filter !== null);
  const total = list.total ?? 0;

  return (
    <>
      <Head
        title={t('view.accounts')}
        actions={
          <>
            <Share />
            <Export href={API + path('/accounts', { ...wanted, format: 'csv' })} name="accounts.csv" />
          </>
        }
      />
      {scored !== null && counts.at_risk !== null && counts.critical !== null && (
        <p class="lede">{rich('accounts.lede', { n: counts.at_risk + counts.critical, total: scored, critical: counts.critical })}</p>
      )}
      <div class="tools">
        {BANDS.map(name => (
          <Button
            key={name}
            pressed={band === name}
            onClick={() => amend({ band: band === name ? null : name })}
          >
            <Glyph tone={toneOf(name)} />
            <span>{bandTitle(name)}</span>
            {counts[name] !== null && <span class="note">{count(counts[name])}</span>}
          </Button>
        ))}
        <Values name="owner" label={t('accounts.owner')} everything={t('accounts.owner.all')} value={owner} rows={list.rows} of={row => row.owner} />
        <Values name="trait.plan" label={t('accounts.plan')} everything={t('accounts.plan.all')} value={plan} rows={list.rows} of={row => row.traits['plan'] ?? null} />
        <NameFilter value={q ?? ''} />
      </div>
      <section class="panel" aria-label={t('accounts.customers')}>
        {list.failure !== null && list.total === null ? (
          <Failed problem={list.failure} again={list.reload} />
        ) : list.total === null ? (
          <Bones lines={10} />
        ) : total === 0 ? (
          <Empty title={t('accounts.none')}>
            <p>{t('accounts.none.words')}</p>
          </Empty>
        ) : (
          <Table list={list} total={total} sort={sort} />
        )}
      </section>
      <p class="note pad-note" role="status">
        {list.total === null ? '' : t('accounts.count', { n: total })} {list.total !== null && !isFiltered && unscored > 0 && t('accounts.unscored', { n: unscored })}
      </p>
    </>
  );
}

function Table({ list, total, sort }: { list: ReturnType<typeof usePages<AccountRow, AccountsAnswer>>; total: number; sort: Sort }) {
  const { body, from, to, height } = useWindow(total);
  const all = useMemo(columns, [language.value]);
  useEffect(() => list.want(to + 1), [to, list.rows.length]);
  useKeys({
    e: () => {
      const row = (document.activeElement as HTMLElement | null)?.dataset['row'];
      if (row !== undefined) go(`/alerts?account=${encodeURIComponent(row)}`);
    },
  });
  const gap = (rows: number) => (
    <tr class="gap" aria-hidden="true">
      <td colSpan={all.length + 1} ref={cell => cell?.style.setProperty('--h', `${rows * height}px`)} />
    </tr>
  );
  const shown = Array.from({ length: to - from }, (_, place) => from + place);
  return (
    <table class="table table-rows" aria-rowcount={total + 1}>
      <caption class="vh">{t('accounts.caption')}</caption>
      <thead>
        <tr>
          <th scope="col">
            <span class="sort">{t('accounts.customer')}</span>
          </th>
          {all.map(column => (
            <th scope="col" class={column.cls} aria-sort={column.sorts?.includes(sort) ? (sort === 'score' || sort === 'fall' || sort === 'last_seen' ? 'ascending' : 'descending') : undefined}>
              {column.sorts === undefined ? (
                <span class="sort">{column.name}</span>
              ) : (
                <button
                  type="button"
                  class="sort"
                  onClick={() => amend({ sort: sort === column.sorts?.[0] ? (column.sorts[1] ?? column.sorts[0]) : (column.sorts?.[0] ?? null) })}
                >
                  {column.name}
                </button>
              )}
            </th>
          ))}
        </tr>
      </thead>
      <tbody ref={body}>
        {gap(from)}
        {shown.map(place => {
          const row = list.rows[place];
          return row === undefined ? <Waiting key={place} place={place} columns={all} /> : <Line key={row.account} place={place} row={row} columns={all} />;
        })}
        {gap(total - to)}
      </tbody>
    </table>
  );
}

interface LineProps {
  place: number;
  row: AccountRow;
  columns: Column[];
}

/** A row: while the page scrolls only those that come into view are drawn. */
class Line extends Component<LineProps> {
  override shouldComponentUpdate(next: LineProps): boolean {
    return next.row !== this.props.row || next.place !== this.props.place || next.columns !== this.props.columns;
  }

  override render({ place, row, columns: all }: LineProps) {
    return (
      <tr aria-rowindex={place + 2}>
        <th scope="row">
          <a class="row-name" href={`/accounts/${encodeURIComponent(row.account)}`} title={tooltip(accountName(row))} data-row={row.account}>
            <bdi>{accountName(row)}</bdi>
          </a>
          <span class="sub sub-only">{row.mrr === null ? reasonOf(row) : t('accounts.sub', { reason: reasonOf(row), money: money(row.mrr, row.mrr_currency ?? row.currency) })}</span>
        </th>
        {all.map(column => (
          <td class={column.cls}>{column.cell(row)}</td>
        ))}
      </tr>
    );
  }
}

/** The place of a row that is still being read. */
const Waiting = ({ place, columns: all }: { place: number; columns: Column[] }) => (
  <tr aria-rowindex={place + 2}>
    <th scope="row">
      <span class="bone w-3" />
    </th>
    {all.map(column => (
      <td class={column.cls} />
    ))}
  </tr>
);

interface ValuesProps {
  name: string;
  label: string;
  everything: string;
  value: string | null;
  rows: AccountRow[];
  of: (row: AccountRow) => string | null;
}

/** A select of the values that were seen so far. */
function Values({ name, label, everything, value, rows, of }: ValuesProps) {
  const [seen, setSeen] = useState<string[]>([]);
  useEffect(() => {
    const found = new Set(seen);
    for (const row of rows) {
      const text = of(row);
      if (text !== null && text !== '' && text.length < 60 && found.size < 50) found.add(text);
    }
    if (found.size !== seen.length) setSeen([...found].sort((a, b) => a.localeCompare(b)));
  }, [rows]);
  const options: [string, string][] = [['', everything], ...[...new Set(value === null ? seen : [value, ...seen])].map((text): [string, string] => [text, text])];
  return <Pick label={label} value={value ?? ''} options={options} onChoose={text => amend({ [name]: text === '' ? null : text })} />;
}

function NameFilter({ value }: { value: string }) {
  const [text, setText] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => {
      if (text !== value) amend({ q: text === '' ? null : text });
    }, WAIT_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <label class="pick pick-find">
      <Icon name="search" />
      <input
        type="search"
        aria-label={t('accounts.filter')}
        placeholder={t('accounts.filter')}
        value={text}
        onInput={event => setText(event.currentTarget.value)}
      />
    </label>
  );
}
