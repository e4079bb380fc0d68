// The views of the product: their places, names, keys and pictures. Navigation, keyboard and router read this one list.
import type { Key } from '../i18n';
import type { IconName } from '../marks/icons';

export interface View {
  id: string;
  href: string;
  name: Key;
  icon: IconName;
  key: string;
}

// `/metrics` itself is the telemetry of the process, so the list of metrics has another address.
export const VIEWS: View[] = [
  { id: 'overview', href: '/', name: 'view.overview', icon: 'pulse', key: 'o' },
  { id: 'metrics', href: '/catalog', name: 'view.metrics', icon: 'chart', key: 'm' },
  { id: 'pipeline', href: '/pipeline', name: 'view.pipeline', icon: 'funnel', key: 'p' },
  { id: 'accounts', href: '/accounts', name: 'view.accounts', icon: 'people', key: 'a' },
  { id: 'alerts', href: '/alerts', name: 'view.alerts', icon: 'bell', key: 'l' },
  { id: 'goals', href: '/goals', name: 'view.goals', icon: 'goal', key: 'g' },
  { id: 'backtest', href: '/backtest', name: 'view.backtest', icon: 'rewind', key: 'b' },
  { id: 'system', href: '/system', name: 'view.system', icon: 'stack', key: 's' },
];

/** The bar of a phone has five places: four views, and a menu with the others. */
export const ON_PHONES = ['overview', 'accounts', 'alerts', 'pipeline'];

export const viewOf = (pathname: string): string => {
  const first = pathname.split('/')[1] ?? '';
  return first === '' ? 'overview' : first === 'catalog' ? 'metrics' : first;
};
