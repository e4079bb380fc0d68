// Words for the names that the API uses: windows, bands, stamps, states, units, metrics.
import { named, t, titled, type Key } from '../i18n';
import type { AccountRow, Band, Stamp } from '../api/types';
import { catalog } from '../state/site';
import { flat } from './number';

export const metricTitle = (name: string, title?: string): string => titled(`name.${name}`, name, title ?? catalog.value.get(name)?.title);
export const groupTitle = (id: string, title: string): string => named(`group.${id.replaceAll(' ', '_')}`, title);

const KINDS: Record<string, Key> = { h: 'window.h', d: 'window.d', w: 'window.w', mo: 'window.mo', q: 'window.q', y: 'window.y' };
/** `trailing 30d` of the catalog is asked for as `30d`. */
export const windowKey = (name: string): string => name.replace(/^trailing /, '');

/** `1mo` is the month, `30d` the last 30 days. */
export function windowTitle(name: string): string {
  const match = /^(\d+)(h|d|w|mo|q|y)$/.exec(name);
  if (match === null) return name === 'to-date' ? t('window.to-date') : name;
  const [, n = '1', kind = 'd'] = match;
  return n === '1' ? t(KINDS[kind] ?? 'window.d') : t('window.last', { n: Number(n), unit: kind });
}
const single = (name: string): string | undefined => /^1(h|d|w|mo|q|y)$/.exec(name)?.[1];
/** The newest window of a kind: `1mo` is this month so far. */
export function windowNow(name: string): string {
  const kind = single(name);
  return kind === undefined ? windowTitle(name) : t(`window.now.${kind}` as Key);
}
export function beforeTitle(name: string): string {
  const kind = single(name);
  return kind === undefined ? t('compare.before', { n: Number.parseInt(name, 10) }) : t(`compare.before.${kind}` as Key);
}

export const bandTitle = (band: Band): string => t(`band.${band}`);
export const stampTitle = (stamp: Stamp): string => t(`stamp.${stamp}`);
export const stampWords = (stamp: Stamp): string => t(`stamp.${stamp}.words`);

/** The name that people know, else the account's key. */
export const accountName = (row: AccountRow): string => row.traits['name'] ?? row.traits['company'] ?? row.account;
export const componentTitle = (name: string, title?: string): string => titled(`component.${name}`, `component.${name}`, title);
export const dimensionTitle = (name: string): string => named(`dimension.${name}`, name);
export const stateTitle = (state: string): string => named(`state.${state}`, state);
export { flat };
