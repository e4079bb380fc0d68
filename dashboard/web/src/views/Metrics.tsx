// All metrics by group: what each means, and its value now where the overview has one.
import { path } from '../api/client';
import { useResource } from '../api/resource';
import type { Metric, Overview } from '../api/types';
import { groupTitle, metricTitle } from '../format/words';
import { t } from '../i18n';
import { described } from '../i18n/catalog';
import { Stamp } from '../marks/Glyph';
import { Failed } from '../parts/Failed';
import { FigureOf } from '../parts/Figure';
import { Head, Section } from '../parts/Section';
import { Change } from '../parts/Tile';
import { Tools } from '../parts/Tools';
import { filters, link } from '../state/filters';
import { catalog } from '../state/site';

export default function Metrics() {
  const overview = useResource<Overview>(path('/overview', filters.value));
  const vitals = new Map((overview.data?.groups ?? []).flatMap(group => group.vitals).map(vital => [vital.metric, vital]));
  const groups = new Map<string, Metric[]>();
  for (const metric of catalog.value.values()) {
    const all = groups.get(metric.group);
    if (all === undefined) groups.set(metric.group, [metric]);
    else all.push(metric);
  }
  return (
    <>
      <Head title={t('view.metrics')} />
      <p class="lede">{t('metrics.lede', { n: catalog.value.size })}</p>
      <Tools />
      {overview.failure !== null && <Failed problem={overview.failure} again={overview.reload} />}
      {[...groups].map(([id, metrics]) => (
        <Section key={id} title={groupTitle(id, id)}>
          <div class="panel">
            <table class="table">
              <caption class="vh">{groupTitle(id, id)}</caption>
              <thead>
                <tr>
                  <th scope="col">{t('metrics.metric')}</th>
                  <th scope="col" class="num">
                    {t('metrics.now')}
                  </th>
                  <th scope="col" class="num p2">
                    {t('metrics.change')}
                  </th>
                </tr>
              </thead>
              <tbody>
                {metrics.map(metric => {
                  const vital = vitals.get(metric.name);
                  return (
                    <tr key={metric.name}>
                      <th scope="row">
                        <a class="link-quiet" href={link(`/metrics/${encodeURIComponent(metric.name)}`)} data-row={metric.name}>
                          {metricTitle(metric.name, metric.title)}
                        </a>
                        <span class="sub sub-clamp" lang={described(metric.name, metric.description).lang}>
                          {described(metric.name, metric.description).text}
                        </span>
                      </th>
                      <td class="num">
                        {vital === undefined ? (
                          metric.per_account ? (
                            <span class="note">{t('metrics.peraccount')}</span>
                          ) : null
                        ) : (
                          <span class="cell-value">
                            <strong>
                              <FigureOf of={vital.now} />
                            </strong>
                            <Stamp kind={vital.now.stamp} />
                          </span>
                        )}
                      </td>
                      <td class="num p2">{vital !== undefined && <Change vital={vital} />}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
        </Section>
      ))}
    </>
  );
}
