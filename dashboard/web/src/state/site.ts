// The site: its tenant, zone and version; and the catalog, read once. Both are small, and every view names metrics.
import { computed, signal } from '@preact/signals';
import { get } from '../api/client';
import type { Metric, Site } from '../api/types';

export const site = signal<Site | null>(null);
export const catalog = signal<ReadonlyMap<string, Metric>>(new Map());
export const zone = computed(() => site.value?.zone ?? 'UTC');

/** Reads both; tried again until they are there. */
export function readSite(): void {
  const again = (what: () => Promise<void>): void => {
    what().catch(() => setTimeout(() => again(what), 3_000));
  };
  again(async () => {
    site.value = (await get<Site>('/site')).data;
  });
  again(async () => {
    const { data } = await get<{ metrics: Metric[] }>('/metrics');
    catalog.value = new Map(data.metrics.map(metric => [metric.name, metric]));
  });
}
