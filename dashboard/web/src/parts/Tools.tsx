// Segment, window, comparison: the same three in the same order on each page that shows a metric.
import { useRef, useState } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import { get, path } from '../api/client';
import type { Breakdown } from '../api/types';
import { beforeTitle, dimensionTitle, windowKey, windowNow } from '../format/words';
import { t } from '../i18n';
import { Icon } from '../marks/icons';
import { compareName, segmentName, windowName } from '../state/filters';
import { amend } from '../state/router';
import { catalog } from '../state/site';
import { Button, Pick } from './Button';

/** Values of a dimension come from what is counted by it; this metric has every dimension of accounts. */
const COUNTED = 'customers';
const WINDOWS = ['30d', '1d', '1w', '1mo', '1q', '1y'];
const VALUES_MOST = 12;

interface Props {
  metric?: string;
  extra?: ComponentChildren;
}

export function Tools({ metric, extra }: Props) {
  const known = metric === undefined ? undefined : catalog.value.get(metric);
  const windows = known === undefined || known.windows.length === 0 ? WINDOWS : known.windows.map(windowKey).sort((a, b) => Number(b === '30d') - Number(a === '30d'));
  const shown = windows.includes(windowName.value) ? windows : [windowName.value, ...windows];
  return (
    <div class="tools">
      <SegmentPick metric={metric ?? COUNTED} />
      <Pick
        tool="window"
        label={t('tools.window')}
        value={windowName.value}
        options={shown.map(name => [name, windowNow(name)])}
        onChoose={name => amend({ window: name })}
      />
      <Pick
        tool="compare"
        label={t('tools.compare')}
        value={compareName.value}
        options={[
          ['before', beforeTitle(windowName.value)],
          ['year', t('compare.year')],
          ['none', t('compare.none')],
        ]}
        onChoose={name => amend({ compare: name })}
      />
      {extra !== undefined && <div class="tools-extra">{extra}</div>}
    </div>
  );
}

function SegmentPick({ metric }: { metric: string }) {
  const menu = useRef<HTMLDivElement>(null);
  const [facets, setFacets] = useState<{ name: string; values: string[] }[] | null>(null);
  const chosen = segmentName.value;
  const dimensions = (catalog.value.get(metric)?.dimensions ?? []).filter(name => name !== 'account' && name !== 'nothing');

  const open = (): void => {
    if (facets !== null) return;
    void Promise.all(
      dimensions.slice(0, 6).map(async name => {
        const { data } = await get<Breakdown>(path(`/metrics/${metric}/breakdown`, { by: name, window: windowName.value, compare: 'none' }));
        return { name, values: [...new Set(data.parts.map(part => part.key))].filter(value => value !== '').slice(0, VALUES_MOST) };
      }),
    )
      .then(setFacets)
      .catch(() => setFacets([]));
  };
  const choose = (segment: string | null): void => {
    amend({ segment });
    menu.current?.hidePopover();
  };

  return (
    <>
      <button type="button" class="pick" data-tool="segment" popovertarget="segment-menu" title={t('tools.segment.title')} onClick={open}>
        <span class="pick-label">{t('tools.segment')}</span>
        <span class="pick-value">{chosen === null ? t('tools.everyone') : <bdi>{chosen.slice(chosen.indexOf(':') + 1)}</bdi>}</span>
        <Icon name="down" />
      </button>
      <div id="segment-menu" popover="auto" class="menu" role="dialog" aria-label={t('tools.segment')} ref={menu}>
        {(facets ?? []).map(facet => (
          <fieldset class="facet">
            <legend>{dimensionTitle(facet.name)}</legend>
            {facet.values.map(value => (
              <label class="check">
                <input
                  type="radio"
                  name="segment"
                  checked={chosen === `${facet.name}:${value}`}
                  onChange={() => choose(`${facet.name}:${value}`)}
                />
                <span>
                  <bdi>{value}</bdi>
                </span>
              </label>
            ))}
          </fieldset>
        ))}
        {facets === null && <p class="menu-note">{t('loading')}</p>}
        {facets !== null && facets.length === 0 && <p class="menu-note">{t('tools.segment.none')}</p>}
        <div class="menu-foot">
          <Button text={t('tools.everyone')} cls="btn-quiet" onClick={() => choose(null)} />
        </div>
      </div>
    </>
  );
}
