// The course of a metric as a panel: a chart and the table behind it. On the pipeline and on dashboards.
import { useMemo } from 'preact/hooks';
import { path, segment } from '../api/client';
import { useResource } from '../api/resource';
import type { SeriesAnswer } from '../api/types';
import { Chart } from '../chart/Chart';
import { chartOf, spanOf } from '../chart/ofSeries';
import { shown } from '../format/number';
import { metricTitle, stampTitle } from '../format/words';
import { t } from '../i18n';
import { segmentName } from '../state/filters';
import { Behind } from './Behind';
import { Bones, Failed } from './Failed';

/** About a year of each window. */
const MOST: Record<string, number> = { '1h': 168, '1d': 180, '1w': 52, '1mo': 13, '1q': 8, '1y': 5 };
export const trendLength = (window: string): number => MOST[window] ?? 365;

interface Props {
  metric: string;
  window: string;
  currency?: string | null;
  height?: number;
}

export function Trend({ metric, window, currency = null, height = 200 }: Props) {
  const most = trendLength(window);
  const read = useResource<SeriesAnswer>(path(`/metrics/${segment(metric)}/series`, { window, segment: segmentName.value, currency, limit: most }));
  const series = read.data?.series[0];
  const title = metricTitle(metric);
  const spec = useMemo(
    () => (read.data === null || series === undefined ? null : chartOf(read.data, series, { title, window, height, layers: { year: false, first: false }, most })),
    [read.data, title],
  );
  if (read.failure !== null && read.data === null) return <Failed problem={read.failure} again={read.reload} />;
  if (read.data === null) return <Bones lines={4} />;
  if (series === undefined || spec === null) return <p class="pad note">{t('metric.novalues')}</p>;
  const { unit } = read.data;
  return (
    <>
      <Chart spec={spec} />
      <Behind
        caption={t('chart.behind.of', { title })}
        heads={[t('behind.window'), t('behind.value'), t('behind.state')]}
        rows={() =>
          [...series.points]
            .reverse()
            .map(point => [spanOf(point), point.value === null ? t('none') : shown(point.value, unit, series.currency, false), stampTitle(point.stamp)])
        }
      />
    </>
  );
}
