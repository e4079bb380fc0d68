// Alerts: what fires now and its proof; and the rules in words.
import { useResource } from '../api/resource';
import type { Rule } from '../api/types';
import { rich, t } from '../i18n';
import { Head } from '../parts/Section';
import { Export, Share } from '../parts/Share';
import { alertsFiring } from '../state/alerts';
import { amend, query } from '../state/router';
import { Live } from './alerts/Live';
import { Rules } from './alerts/Rules';

const TABS = ['live', 'rules'] as const;

export default function Alerts() {
  const tab = query.value.get('tab') === 'rules' ? 'rules' : 'live';
  const rules = useResource<{ rules: Rule[] }>('/rules');
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    const other = tab === 'live' ? 'rules' : 'live';
    amend({ tab: other === 'live' ? null : other });
    requestAnimationFrame(() => document.getElementById(`tab-${other}`)?.focus());
  };
  return (
    <>
      <Head
        title={t('view.alerts')}
        actions={
          <>
            <Share />
            <Export href="/api/v1/alerts?format=csv" name="alerts.csv" />
          </>
        }
      />
      <p class="lede">
        {rich(alertsFiring.value === 0 ? 'alerts.lede.none' : 'alerts.lede', { n: alertsFiring.value })}
        {rules.data !== null && [' ', ...rich('alerts.lede.rules', { n: rules.data.rules.length })]}
      </p>
      <div class="tablist" role="tablist" aria-label={t('view.alerts')}>
        {TABS.map(name => (
          <button
            type="button"
            class="tab"
            role="tab"
            id={`tab-${name}`}
            aria-controls={`panel-${name}`}
            aria-selected={tab === name}
            tabIndex={tab === name ? 0 : -1}
            onKeyDown={onKeyDown}
            onClick={() => amend({ tab: name === 'live' ? null : name })}
          >
            {t(`alerts.tab.${name}`)}
            <span class="count">{name === 'live' ? alertsFiring.value : (rules.data?.rules.length ?? 0)}</span>
          </button>
        ))}
      </div>
      <section id={`panel-${tab}`} role="tabpanel" aria-labelledby={`tab-${tab}`} tabIndex={-1}>
        {tab === 'live' ? <Live /> : <Rules rules={rules.data?.rules ?? null} />}
      </section>
    </>
  );
}
