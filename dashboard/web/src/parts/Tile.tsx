// The tile of a vital sign: name, value, change, course, and how sure it is. Colour only outside the usual range.
import { useEffect, useRef } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import type { Vital } from '../api/types';
import { cases, change, target } from '../format/number';
import { metricTitle } from '../format/words';
import { t, named } from '../i18n';
import { AsOf, Stamp } from '../marks/Glyph';
import { Spark } from '../marks/Spark';
import { link } from '../state/filters';
import { isOld } from '../state/live';
import { FigureOf } from './Figure';

export const vitalKey = (vital: Vital): string => `${vital.metric}/${vital.now.currency ?? ''}`;
const toneOf = (vital: Vital): '' | 'is-good' | 'is-bad' => (vital.verdict === 'worse' ? 'is-bad' : vital.verdict === 'better' ? 'is-good' : '');

/** `1,718 of 2,318`, `412 cases`: what the value rests on. */
export function basis(vital: Vital): string {
  const { num, den, unit, value, currency } = vital.now;
  const [above, below] = [cases(num), cases(den)];
  // A rate of money has money below the line, and no cases.
  if (unit === 'ratio' && currency !== null) return '';
  if (vital.few && below !== null) return t('tile.few', { n: below });
  if (unit === 'ratio' && above !== null && below !== null && value !== null && Math.abs(value * below - above) < 1e-6 * below) return t('tile.of', { num: above, den: below });
  if (below !== null && below !== 1) return t('tile.cases', { n: below });
  return '';
}

function Foot({ vital }: { vital: Vital }) {
  if (vital.now.value === null) return <span title={vital.now.reason ?? ''}>{named(`reason.${vital.now.reason ?? ''}`, vital.now.reason ?? t('reason.unknown'))}</span>;
  if (vital.verdict === 'worse') return <span class="is-bad-text">{t('verdict.worse')}</span>;
  if (vital.verdict === 'better') return <span class="is-good-text">{t('verdict.better')}</span>;
  if (vital.goal !== null) {
    const goal = target(vital.goal.target, vital.now.unit, vital.now.currency);
    return <span>{t(`tile.goal.${vital.goal.state}`, { goal })}</span>;
  }
  return <span>{basis(vital)}</span>;
}

export function Change({ vital }: { vital: Vital }) {
  if (vital.change === null) return null;
  const tone = toneOf(vital);
  const by = change(vital.change, vital.change_kind, vital.now.unit, vital.now.currency);
  const verdict = vital.verdict === 'worse' ? t('verdict.worse') : vital.verdict === 'better' ? t('verdict.better') : t('verdict.as_usual');
  return (
    <span class={`delta ${tone || 'is-flat'}`}>
      {by}
      <span class="vh">. {verdict}</span>
    </span>
  );
}

interface Props {
  vital: Vital;
  level?: 2 | 3;
  title?: string;
  children?: ComponentChildren;
}

export function Tile({ vital, level = 3, title, children }: Props) {
  const tile = useRef<HTMLElement>(null);
  const before = useRef(vital.now.value);
  useEffect(() => {
    if (before.current === vital.now.value) return;
    before.current = vital.now.value;
    const element = tile.current;
    if (element === null) return;
    // Taken away and put back, with a layout between: the tint begins anew.
    element.classList.remove('has-changed');
    void element.offsetWidth;
    element.classList.add('has-changed');
  }, [vital.now.value]);

  const Name = level === 2 ? 'h2' : 'h3';
  const currency = vital.now.currency;
  return (
    <article class="vital" ref={tile} data-metric={vital.metric}>
      <Name class="vital-name">
        <a href={link(`/metrics/${encodeURIComponent(vital.metric)}${currency === null ? '' : `?currency=${currency}`}`)}>
          {title ?? metricTitle(vital.metric, vital.title)}
        </a>
      </Name>
      <p class="vital-row">
        <span class="vital-value">
          <FigureOf of={vital.now} />
        </span>
        <Change vital={vital} />
      </p>
      <div class="vital-chart">
        <Spark values={vital.spark} usual={vital.usual} goal={vital.goal?.target ?? null} tone={toneOf(vital)} />
      </div>
      <p class="vital-foot">
        <Foot vital={vital} />
        {isOld.value ? <AsOf /> : <Stamp kind={vital.now.stamp} />}
      </p>
      {children}
    </article>
  );
}

/** The place of a tile while the page loads. */
export const TileBones = () => (
  <article class="vital" aria-busy="true">
    <span class="bone w-3" />
    <span class="bone is-value" />
    <span class="bone is-line" />
    <span class="bone w-2" />
  </article>
);

