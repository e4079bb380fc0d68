// The application: the shell, and the view of the place. Views beyond the first are loaded when they are asked for.
import { effect } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import type { ComponentType } from 'preact';
import { t, language, type Key } from './i18n';
import { Bones, Empty } from './parts/Failed';
import { BarNav, Side } from './shell/Side';
import { Dialogs } from './shell/dialogs';
import { Banner, Top } from './shell/Top';
import { viewOf } from './shell/views';
import { isStale, phase } from './state/live';
import { place } from './state/router';
import { defaults } from './state/filters';
import Overview from './views/Overview';

type View = ComponentType<{ name: string }>;

function lazily(load: () => Promise<{ default: View }>): View {
  let loaded: View | null = null;
  return function Lazy({ name }) {
    const [View, setView] = useState<View | null>(() => loaded);
    useEffect(() => {
      if (View !== null) return;
      load().then(
        module => {
          loaded = module.default;
          setView(() => loaded);
        },
        // The server has a newer build, and this page's chunk is gone: the new page has it.
        () => setTimeout(() => location.reload(), 1_000),
      );
    }, [View]);
    return View === null ? <Bones /> : <View name={name} />;
  };
}

const VIEWS: Record<string, View> = {
  overview: Overview,
  metrics: lazily(() => import('./views/Metrics')),
  metric: lazily(() => import('./views/Metric')),
  pipeline: lazily(() => import('./views/Pipeline')),
  accounts: lazily(() => import('./views/Accounts')),
  account: lazily(() => import('./views/Account')),
  alerts: lazily(() => import('./views/Alerts')),
  goals: lazily(() => import('./views/Goals')),
  backtest: lazily(() => import('./views/Backtest')),
  system: lazily(() => import('./views/System')),
  boards: lazily(() => import('./views/Board')),
};

const Missing = () => (
  <>
    <div class="head">
      <h1>{t('missing.title')}</h1>
    </div>
    <Empty title={t('missing.what')}>
      <p>
        <a href="/">{t('missing.home')}</a>
      </p>
    </Empty>
  </>
);

/** `/metrics/nps` is the metric `nps`; `/catalog` the list. */
function of(pathname: string): { key: string; name: string; View: View | undefined } {
  const parts = pathname.split('/').filter(part => part !== '');
  let name = '';
  try {
    name = decodeURIComponent(parts[1] ?? '');
  } catch {
    // A broken escape names nothing.
  }
  const view = viewOf(pathname);
  const one: Record<string, string> = { metrics: 'metric', accounts: 'account' };
  const id = parts.length > 2 ? 'none' : name === '' ? (pathname === '/metrics' ? 'none' : view) : (one[view] ?? (view === 'boards' ? 'boards' : 'none'));
  return { key: `${id}/${name}`, name, View: VIEWS[id] };
}

function Content() {
  const { key, name, View } = of(place.value);
  return View === undefined ? <Missing /> : <View key={key} name={name} />;
}

export function App() {
  // The whole page is said again in another language.
  const spoken = language.value;
  return (
    <>
      <a class="skip" href="#main">
        {t('skip')}
      </a>
      <Side />
      <div class="page" key={spoken}>
        <Top />
        <main id="main" tabIndex={-1}>
          <Banner />
          <Content />
        </main>
      </div>
      <BarNav />
      <Dialogs />
      <svg class="defs" width={0} height={0} aria-hidden="true">
        <defs>
          <pattern id="hatch-bad" width={5} height={5} patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
            <rect class="hatch-ground" width={5} height={5} />
            <line class="hatch-line" x1={0} x2={0} y1={0} y2={5} />
          </pattern>
        </defs>
      </svg>
    </>
  );
}

/** The page's title, and what of its state the styles follow. */
export function followState(): void {
  effect(() => {
    const { name } = of(place.value);
    const view = viewOf(place.value);
    language.value;
    const title = name !== '' ? name : t((view in VIEWS ? `view.${view === 'boards' ? 'overview' : view}` : 'missing.title') as Key);
    document.title = `${title.slice(0, 80)} · Vitals`;
  });
  effect(() => {
    document.body.classList.toggle('is-lost', phase.value === 'lost');
    document.body.classList.toggle('is-stale', isStale.value);
  });
  effect(() => {
    if (viewOf(place.value) !== 'boards') defaults.value = {};
  });
}
