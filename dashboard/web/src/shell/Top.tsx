// The top: find, whether the page is live, the time of the data with its zone. And the banner of a lost or late stream.
import { useEffect, useState } from 'preact/hooks';
import { city, clockTime, hourMinute, offset } from '../format/time';
import { shown } from '../format/number';
import { t, rich } from '../i18n';
import { Glyph } from '../marks/Glyph';
import { Logo } from '../marks/icons';
import { Button } from '../parts/Button';
import { clock, heardAt, isStale, lagSeconds, lostAt, phase, reconnect, retryAt } from '../state/live';
import { site, zone } from '../state/site';
import { toggleTheme } from '../state/theme';
import { Find } from './Find';
import { openKeys } from './dialogs';

function Live() {
  const last = heardAt.value;
  if (phase.value === 'lost')
    return (
      <span class="live is-bad">
        <Glyph tone="bad" />
        <span>{t('live.lost')}</span>
        {last !== null && <span class="live-time">{t('live.asof', { time: hourMinute(last) })}</span>}
      </span>
    );
  if (phase.value === 'connecting')
    return (
      <span class="live">
        <span class="live-dot is-off" />
        <span>{t('live.connecting')}</span>
      </span>
    );
  if (isStale.value)
    return (
      <span class="live is-warn">
        <Glyph tone="warn" />
        <span>{t('live.behind', { time: shown(lagSeconds.value ?? 0, 'seconds', null) })}</span>
        {clock.value !== null && <span class="live-time">{t('live.asof', { time: hourMinute(clock.value) })}</span>}
      </span>
    );
  return (
    <span class="live">
      <span class="live-dot" />
      <span class="live-word">{t('live.live')}</span>
      {clock.value !== null && <time class="live-time">{clockTime(clock.value)}</time>}
    </span>
  );
}

export const Top = () => (
  <header class="top">
    <a class="brand brand-top" href="/" aria-label={t('nav.home')}>
      <Logo />
    </a>
    <Find />
    <div class="top-right">
      <Live />
      <span class="zone" title={t('live.zone', { zone: zone.value })}>
        {site.value !== null && (
          <>
            {city() !== 'UTC' && <span class="zone-name">{city()} </span>}
            {offset()}
          </>
        )}
      </span>
      <Button cls="btn-icon" icon="moon" label={t('top.theme')} title={t('top.theme.title')} onClick={toggleTheme} />
      <Button cls="btn-icon only-wide" icon="help" label={t('top.keys')} title={t('top.keys.title')} onClick={openKeys} />
    </div>
  </header>
);

function Seconds() {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const left = retryAt.value === null ? 0 : Math.max(0, Math.ceil((retryAt.value - now) / 1_000));
  return <>{left > 0 ? t('banner.lost.again', { n: left }) : t('banner.lost.trying')}</>;
}

/** Lost comes before late: there is one banner at a time. */
export function Banner() {
  if (phase.value === 'lost')
    return (
      <div class="banner is-bad" role="status">
        <Glyph tone="bad" />
        <p>
          {rich('banner.lost', { time: clockTime(lostAt.value ?? Date.now()) })} <Seconds />
        </p>
        <Button text={t('failed.again')} onClick={reconnect} />
      </div>
    );
  if (isStale.value)
    return (
      <div class="banner is-warn" role="status">
        <Glyph tone="warn" />
        <p>{rich('banner.stale', { time: shown(lagSeconds.value ?? 0, 'seconds', null) })}</p>
        <a class="btn" href="/system">
          {t('banner.stale.see')}
        </a>
      </div>
    );
  return null;
}
