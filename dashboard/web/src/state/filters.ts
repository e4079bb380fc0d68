// Segment, window, comparison: the same three on each page that shows a metric, kept in the address.
import { computed, signal } from '@preact/signals';
import type { Compare } from '../api/types';
import { query } from './router';

export const USUAL_WINDOW = '30d';

/** Filters that a dashboard brings along; the address overrides them. */
export const defaults = signal<{ window?: string; compare?: Compare; segment?: string }>({});

export const windowName = computed(() => query.value.get('window') ?? defaults.value.window ?? USUAL_WINDOW);
export const compareName = computed<Compare>(() => {
  const name = query.value.get('compare') ?? defaults.value.compare;
  return name === 'year' || name === 'none' ? name : 'before';
});
export const segmentName = computed(() => query.value.get('segment') ?? defaults.value.segment ?? null);

/** The filters as the API's query. */
export const filters = computed(() => ({ window: windowName.value, compare: compareName.value, segment: segmentName.value }));

/** A link within the site that keeps the filters of the address. */
export function link(to: string): string {
  const kept = new URLSearchParams();
  for (const name of ['window', 'compare', 'segment']) {
    const value = query.value.get(name);
    if (value !== null) kept.set(name, value);
  }
  const text = kept.toString();
  return text === '' ? to : `${to}${to.includes('?') ? '&' : '?'}${text}`;
}
