// The proof of an alert: its rule in words, what it saw, its course; and what one can do about it.
import { useState } from 'preact/hooks';
import { Failure, path, segment, send } from '../../api/client';
import { useResource } from '../../api/resource';
import type { Alert, Explain, Rule } from '../../api/types';
import { shown, signed } from '../../format/number';
import { ruleWords } from '../../format/rule';
import { dayBefore, exact, moment, span } from '../../format/time';
import { componentTitle, metricTitle, stateTitle } from '../../format/words';
import { t } from '../../i18n';
import { Bar } from '../../marks/Bar';
import { Glyph, toneOfSeverity } from '../../marks/Glyph';
import { Icon } from '../../marks/icons';
import { Bones } from '../../parts/Failed';
import { alertName, tooltip } from '../../parts/lists';
import { Foreign } from '../../parts/Section';
import { now } from '../../state/live';
import { store, stored } from '../../state/stored';
import { catalog } from '../../state/site';
import { link } from '../../state/filters';

const SPANS = { '1d': 1, '7d': 7, '30d': 30 } as const;
const DAY_MS = 86_400_000;
/** What moved a score is told for so many days before the alert. */
const WHY_DAYS = 7;

/** Who acts: asked once, kept in this browser, until sessions say it. */
export function whoAmI(): string | null {
  const known = stored('me');
  if (known !== null && known !== '') return known;
  const answer = prompt(t('alerts.who'))?.trim() ?? '';
  if (answer === '') return null;
  store('me', answer);
  return answer;
}

export function Evidence({ id, alert: known, changed }: { id: string; alert: Alert | undefined; changed: () => void }) {
  const read = useResource<Alert>(`/alerts/${segment(id)}`);
  const rules = useResource<{ rules: Rule[] }>('/rules');
  const alert = read.data ?? known;
  if (alert === undefined) return <article class="panel evidence">{read.failure === null ? <Bones lines={6} /> : <p class="pad note">{t('alerts.gone')}</p>}</article>;
  const rule = rules.data?.rules.find(of => of.name === alert.rule);
  const after = (): void => {
    read.reload();
    changed();
  };
  return (
    <article class="panel evidence" aria-labelledby="evidence-title">
      <header class="pad evidence-head">
        <h2 id="evidence-title" class="one-line" title={tooltip(alertName(alert))}>
          <Glyph tone={toneOfSeverity(alert.severity)} /> <Foreign text={alertName(alert)} />
        </h2>
        <p class="muted wrap-any">
          <Foreign text={(alert.description || alert.summary || alert.rule).slice(0, 600)} />
        </p>
        {alert.account_name != null && alert.account !== null && (
          <p class="note one-line">
            <bdi class="mono">{alert.account.slice(0, 300)}</bdi>
          </p>
        )}
        <Actions alert={alert} after={after} />
      </header>
      <section class="pad" aria-labelledby="rule-title">
        <h3 class="mini" id="rule-title">
          {t('alerts.rule')}
        </h3>
        <p class="rule-words">
          <span class="mono">{alert.rule}</span>{' '}
          {rule !== undefined && <span lang={ruleWords(rule).lang}>{ruleWords(rule).text}</span>}
        </p>
      </section>
      {alert.annotations?.['action'] !== undefined && (
        <section class="pad" aria-labelledby="action-title">
          <h3 class="mini" id="action-title">
            {t('account.todo')}
          </h3>
          <p class="wrap-any">
            <Foreign text={alert.annotations['action'].slice(0, 600)} />
          </p>
        </section>
      )}
      <Saw alert={alert} />
      {alert.account !== null && alert.metric === 'health_score' && <Why account={alert.account} at={alert.at} />}
      <Course alert={alert} />
    </article>
  );
}

/** A matcher on a label, as Alertmanager writes it. */
const matcher = (label: string, value: string): string => `${label}="${value.replaceAll(/["\\]/g, '\\$&')}"`;

function Actions({ alert, after }: { alert: Alert; after: () => void }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const act = (what: () => Promise<unknown>): void => {
    setBusy(true);
    setProblem(null);
    what()
      .then(after)
      .catch((error: unknown) => setProblem(error instanceof Failure ? error.message : t('failed.unreachable')))
      .finally(() => setBusy(false));
  };
  const acknowledge = (): void => {
    const by = whoAmI();
    if (by !== null) act(() => send('POST', `/alerts/${segment(alert.id)}/acknowledge`, { by }));
  };
  const silence = (days: number): void => {
    const by = whoAmI();
    if (by === null) return;
    const matchers = [matcher('rule', alert.rule)];
    if (alert.account !== null) matchers.push(matcher('account', alert.account));
    const until = new Date(Math.max(now(), Date.now()) + days * DAY_MS).toISOString();
    act(() => send('POST', '/silences', { matchers, until, by, comment: '' }));
  };
  const isActive = alert.state === 'firing' || alert.state === 'pending';
  return (
    <>
      <div class="chips">
        {isActive && alert.acknowledged === null && (
          <button type="button" class="btn btn-primary" data-do="acknowledge" disabled={busy} title={t('alerts.acknowledge.title')} onClick={acknowledge}>
            <Icon name="check" />
            <span>{t('alerts.acknowledge')}</span>
          </button>
        )}
        {isActive && alert.silenced_until === null && (
          <label class="pick">
            <span class="pick-label">{t('alerts.silence')}</span>
            <select
              class="pick-value"
              disabled={busy}
              value=""
              onChange={event => {
                const days = SPANS[event.currentTarget.value as keyof typeof SPANS];
                event.currentTarget.value = '';
                if (days !== undefined) silence(days);
              }}
            >
              <option value="">{t('alerts.silence.choose')}</option>
              {Object.entries(SPANS).map(([name, days]) => (
                <option value={name}>{t('alerts.silence.days', { n: days })}</option>
              ))}
            </select>
            <Icon name="down" />
          </label>
        )}
        {alert.account !== null && (
          <a class="btn" href={`/accounts/${encodeURIComponent(alert.account)}`}>
            <Icon name="arrow" />
            <span>{t('alerts.customer')}</span>
          </a>
        )}
        {alert.account === null && (
          <a class="btn" href={link(`/metrics/${encodeURIComponent(alert.metric)}`)}>
            <Icon name="chart" />
            <span>{metricTitle(alert.metric)}</span>
          </a>
        )}
      </div>
      {alert.acknowledged !== null && (
        <p class="note">{t('alerts.acknowledged', { by: alert.acknowledged.by.slice(0, 80), at: moment(alert.acknowledged.at) })}</p>
      )}
      <p class="is-bad-text" role="alert">
        {problem}
      </p>
    </>
  );
}

/** What the rule saw: the window, the value, and the events that caused it. */
function Saw({ alert }: { alert: Alert }) {
  const metric = catalog.value.get(alert.metric);
  const unit = metric?.unit ?? 'count';
  const currency = alert.dimensions['currency'] ?? null;
  if (alert.evidence.length === 0) return null;
  return (
    <section class="pad" aria-labelledby="saw-title">
      <h3 class="mini" id="saw-title">
        {t('alerts.evidence')}
      </h3>
      <table class="table table-tight evidence-table">
        <caption class="vh">{t('alerts.evidence')}</caption>
        <tbody>
          {alert.evidence.map(of => (
            <tr>
              <th scope="row">
                <a class="link-quiet" href={link(`/metrics/${encodeURIComponent(alert.metric)}`)}>
                  {metricTitle(alert.metric)}
                </a>
                <span class="sub">
                  {of.window.start !== undefined && of.window.end !== undefined ? span(of.window.start, of.window.end) : of.window.kind} <span class="mono">{of.definition}</span>
                </span>
                {of.causes.slice(0, 5).map(cause => (
                  <span class="sub">
                    <bdi>{cause.source.slice(0, 60)}</bdi>, <bdi class="mono">{cause.id.slice(0, 80)}</bdi>
                  </span>
                ))}
              </th>
              <td class="num">
                <strong>{of.value === null ? t('none') : shown(of.value, unit, currency)}</strong>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** What moved a health score in the days before. */
function Why({ account, at }: { account: string; at: string }) {
  const read = useResource<Explain>(path(`/accounts/${segment(account)}/explain`, { metric: 'health_score', at, since: dayBefore(Date.parse(at), WHY_DAYS) }));
  const { data } = read;
  if (data === null || data.parts === undefined) return null;
  const rows = new Map<string, { component: string; isTime: boolean; tenths: number; ids: string[] }>();
  for (const part of data.parts)
    for (const [component, tenths] of Object.entries(part.by)) {
      const isTime = part.brought === 'time';
      const key = `${component}/${isTime}`;
      const row = rows.get(key) ?? { component, isTime, tenths: 0, ids: [] };
      row.tenths += tenths;
      if (part.id !== undefined && row.ids.length < 3) row.ids.push(part.id);
      rows.set(key, row);
    }
  const sorted = [...rows.values()].filter(row => row.tenths !== 0).sort((a, b) => a.tenths - b.tenths);
  if (sorted.length === 0) return null;
  const most = Math.max(...sorted.map(row => Math.abs(row.tenths)));
  return (
    <section class="pad" aria-labelledby="why-title">
      <h3 class="mini" id="why-title">
        {t('alerts.why')}
      </h3>
      <table class="table table-tight evidence-table">
        <caption class="vh">{t('alerts.why')}</caption>
        <tbody>
          {sorted.map(row => (
            <tr>
              <th scope="row">
                {componentTitle(row.component)}
                <span class="sub">{row.isTime ? t('moved.legend.time') : <bdi class="mono">{row.ids.join(', ').slice(0, 120)}</bdi>}</span>
              </th>
              <td class="evidence-bar">
                <Bar parts={[{ from: 0, to: (Math.abs(row.tenths) / most) * 100, cls: row.tenths > 0 ? 'm-bar-good' : row.isTime ? 'm-bar-time-bad' : 'm-bar-bad' }]} />
              </td>
              <td class={`num ${row.tenths < 0 ? 'is-bad-text' : 'is-good-text'}`}>{signed(row.tenths / 10)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">{t('alerts.why.total')}</th>
            <td />
            <td class="num">{signed((data.change ?? 0) / 10)}</td>
          </tr>
        </tfoot>
      </table>
    </section>
  );
}

function Course({ alert }: { alert: Alert }) {
  const steps = alert.history ?? [{ state: alert.state, at: alert.at }];
  return (
    <section class="pad" aria-labelledby="course-title">
      <h3 class="mini" id="course-title">
        {t('alerts.course')}
      </h3>
      <ol class="steps">
        {steps.slice(-12).map(step => (
          <li>
            <time title={exact(step.at)} dateTime={step.at}>
              {moment(step.at)}
            </time>
            <span>{stateTitle(step.state)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
