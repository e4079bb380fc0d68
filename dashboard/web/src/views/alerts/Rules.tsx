// Rules in words: each sentence is written from the rule itself.
import type { Rule } from '../../api/types';
import { count } from '../../format/number';
import { ruleWords } from '../../format/rule';
import { metricTitle } from '../../format/words';
import { t } from '../../i18n';
import { Glyph, toneOfSeverity } from '../../marks/Glyph';
import { Button } from '../../parts/Button';
import { Bones, Empty } from '../../parts/Failed';
import { link } from '../../state/filters';
import { amend, query } from '../../state/router';

export function Rules({ rules }: { rules: Rule[] | null }) {
  const metric = query.value.get('metric');
  const named = query.value.get('rule');
  if (rules === null)
    return (
      <div class="panel">
        <Bones />
      </div>
    );
  const shown = rules.filter(rule => (metric === null || rule.metric === metric) && (named === null || rule.name === named));
  return (
    <>
      {(metric !== null || named !== null) && (
        <div class="chips">
          <Button icon="close" label={t('alerts.filter.clear')} onClick={() => amend({ metric: null, rule: null })}>
            <span>{metric === null ? named : metricTitle(metric)}</span>
          </Button>
        </div>
      )}
      <div class="panel">
        {shown.length === 0 ? (
          <Empty title={t('rules.none')}>
            <p>{t('rules.none.words')}</p>
          </Empty>
        ) : (
          <table class="table">
            <caption class="vh">{t('alerts.tab.rules')}</caption>
            <thead>
              <tr>
                <th scope="col">{t('rules.rule')}</th>
                <th scope="col" class="p3">
                  {t('rules.metric')}
                </th>
                <th scope="col" class="num">
                  {t('state.firing')}
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map(rule => (
                <tr key={rule.name}>
                  <th scope="row">
                    <Glyph tone={toneOfSeverity(rule.severity)} />{' '}
                    <a class="link-quiet" href={`/alerts?rule=${encodeURIComponent(rule.name)}`} data-row={rule.name}>
                      {rule.name}
                    </a>
                    <span class="sub wrap-any" lang={ruleWords(rule).lang}>
                      {ruleWords(rule).text}
                    </span>
                  </th>
                  <td class="p3">
                    <a class="link-quiet" href={link(`/metrics/${encodeURIComponent(rule.metric)}`)}>
                      {metricTitle(rule.metric)}
                    </a>
                  </td>
                  <td class="num">{rule.firing > 0 ? <strong>{count(rule.firing)}</strong> : <span class="muted">0</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
    </>
  );
}
