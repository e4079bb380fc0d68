// The live list: state by state, with the evidence of the chosen alert beside it, or under its row on a phone.
import { useEffect, useRef, useState } from 'preact/hooks';
import { path } from '../../api/client';
import { useResource } from '../../api/resource';
import type { Alert, AlertsAnswer } from '../../api/types';
import { count } from '../../format/number';
import { ago, date, exact, moment } from '../../format/time';
import { stateTitle } from '../../format/words';
import { t } from '../../i18n';
import { Glyph, toneOfSeverity } from '../../marks/Glyph';
import { Icon, type IconName } from '../../marks/icons';
import { Button } from '../../parts/Button';
import { Bones, Empty, Failed } from '../../parts/Failed';
import { alertName, tooltip } from '../../parts/lists';
import { alertsFiring } from '../../state/alerts';
import { listenTo, now } from '../../state/live';
import { useKeys } from '../../state/keys';
import { amend, query } from '../../state/router';
import { Evidence } from './Evidence';

const STATES = ['firing', 'pending', 'acknowledged', 'silenced', 'resolved'] as const;
const ALL = 'all';
const PAGE = 50;
const AGAIN_MS = 500;
const beside = matchMedia('(min-width: 64rem)');

export type Shown = (typeof STATES)[number] | 'inactive';
/** What the reader is told: an acknowledged alert still fires, but somebody has it. */
export const shownState = (alert: Alert): Shown =>
  alert.state !== 'firing' ? alert.state : alert.silenced_until !== null ? 'silenced' : alert.acknowledged !== null ? 'acknowledged' : 'firing';
const ICONS: Record<string, IconName> = { pending: 'clock', acknowledged: 'check', silenced: 'mute', resolved: 'rewind', inactive: 'rewind' };

export function Live() {
  const account = query.value.get('account');
  const rule = query.value.get('rule');
  const filtered = account !== null || rule !== null;
  // What fires comes first; of one customer or one rule, all that there was.
  const asked = query.value.get('state') ?? (filtered ? ALL : 'firing');
  const state = asked === ALL ? null : asked;
  const chosen = query.value.get('alert');
  const [limit, setLimit] = useState(PAGE);
  const list = useResource<AlertsAnswer>(path('/alerts', { state, account, rule, limit }));
  const [isBeside, setBeside] = useState(beside.matches);
  useEffect(() => {
    const look = (): void => setBeside(beside.matches);
    beside.addEventListener('change', look);
    return () => beside.removeEventListener('change', look);
  }, []);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => {
    const stop = listenTo('alerts', frame => {
      if (frame.isSnapshot) return;
      clearTimeout(timer.current);
      timer.current = setTimeout(() => list.reload(), AGAIN_MS);
    });
    return () => {
      clearTimeout(timer.current);
      stop();
    };
  }, []);
  useEffect(() => {
    if (list.data !== null) alertsFiring.value = list.data.counts.firing;
  }, [list.data]);

  const alerts = list.data?.alerts ?? [];
  // One that a link names is shown whether or not the list has it.
  const open = chosen === null ? (isBeside ? alerts[0] : undefined) : alerts.find(alert => alert.id === chosen);
  const openId = chosen ?? open?.id;
  const choose = (id: string | null): void => amend({ alert: id });
  useKeys({ e: () => document.querySelector<HTMLElement>('[data-do="acknowledge"]')?.click() });
  const changed = (): void => list.reload();

  return (
    <div class="alert-grid">
      <div>
        <div class="chips chips-scroll">
          {STATES.map(name => (
            <Button key={name} text={stateTitle(name)} pressed={state === name} onClick={() => amend({ state: state === name ? ALL : name, alert: null })}>
              {name !== 'resolved' && list.data !== null && <span class="note">{count(list.data.counts[name])}</span>}
            </Button>
          ))}
          {filtered && (
            <Button icon="close" onClick={() => amend({ account: null, rule: null, alert: null })} label={t('alerts.filter.clear')}>
              <bdi class="chip-text">{account ?? rule}</bdi>
            </Button>
          )}
        </div>
        {list.failure !== null && list.data === null && (
          <div class="panel">
            <Failed problem={list.failure} again={list.reload} />
          </div>
        )}
        {list.data === null && list.failure === null && (
          <div class="panel">
            <Bones lines={8} />
          </div>
        )}
        {list.data !== null && alerts.length === 0 && (
          <div class="panel">
            <Empty title={state === 'firing' && !filtered ? t('alerts.none') : t('alerts.none.filtered')} />
          </div>
        )}
        {!isBeside && list.data !== null && chosen !== null && open === undefined && <Evidence id={chosen} alert={undefined} changed={changed} />}
        {alerts.length > 0 && (
          <ul class="panel">
            {alerts.map(alert => (
              <>
                <Row key={alert.id} alert={alert} isChosen={alert.id === openId} choose={choose} />
                {!isBeside && alert.id === openId && (
                  <li class="slot" key={`${alert.id}/evidence`}>
                    <Evidence id={alert.id} alert={alert} changed={changed} />
                  </li>
                )}
              </>
            ))}
          </ul>
        )}
        {list.data !== null && list.data.next !== null && (
          <p class="pad-note">
            <Button text={t('more')} onClick={() => setLimit(limit + PAGE)} /> <span class="note">{t('alerts.shown', { n: alerts.length, total: list.data.total })}</span>
          </p>
        )}
      </div>
      {isBeside && openId !== null && openId !== undefined && <Evidence key={openId} id={openId} alert={open} changed={changed} />}
    </div>
  );
}

function Row({ alert, isChosen, choose }: { alert: Alert; isChosen: boolean; choose: (id: string | null) => void }) {
  const state = shownState(alert);
  return (
    <li class={`alert ${state === 'firing' || state === 'pending' ? '' : 'is-quiet'}`} aria-current={isChosen ? 'true' : undefined}>
      <Glyph tone={toneOfSeverity(alert.severity)} />
      <div class="alert-body">
        <a
          class="item-name item-block"
          href={`/alerts?alert=${encodeURIComponent(alert.id)}`}
          title={tooltip(alertName(alert))}
          data-row={alert.id}
          onClick={event => {
            if (event.ctrlKey || event.metaKey || event.shiftKey) return;
            event.preventDefault();
            choose(isChosen && query.value.get('alert') !== null ? null : alert.id);
          }}
        >
          <bdi>{alertName(alert)}</bdi>
        </a>
        <p class="alert-what">
          <bdi>{alert.summary === '' ? alert.rule : alert.summary}</bdi>
        </p>
        <p class="alert-sub">
          {t('alerts.sub', { rule: alert.rule, since: moment(alert.since) })}
          {alert.owner !== null && alert.owner !== '' && (
            <>
              {', '}
              <bdi>{alert.owner}</bdi>
            </>
          )}
          {alert.account_name != null && alert.account !== null && (
            <>
              {', '}
              <bdi class="mono">{alert.account.slice(0, 120)}</bdi>
            </>
          )}
          {alert.silenced_until !== null && `, ${t('alerts.until', { day: date(alert.silenced_until) })}`}
          {alert.state === 'resolved' && alert.reason !== null && `, ${alert.reason}`}
        </p>
      </div>
      <div class="alert-end">
        {state !== 'firing' && (
          <span class="tag">
            <Icon name={ICONS[state] ?? 'clock'} />
            {stateTitle(state)}
          </span>
        )}
        <span title={exact(alert.since)}>{ago(alert.since, now())}</span>
      </div>
    </li>
  );
}
