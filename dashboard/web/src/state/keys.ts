// Single keys: off inside fields, and off altogether for whom they disturb. A view adds its own while it is there.
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { VIEWS } from '../shell/views';
import { link } from './filters';
import { go } from './router';
import { store, stored } from './stored';
import { toggleTheme } from './theme';

export const keysOn = signal(stored('keys') !== 'off');
export function setKeysOn(on: boolean): void {
  keysOn.value = on;
  store('keys', on ? 'on' : 'off');
}

type Keys = Record<string, (event: KeyboardEvent) => void>;
const ofViews: Keys[] = [];
const GO_MS = 1_500;

/** Keys of a view, for as long as it is there. */
export function useKeys(keys: Keys): void {
  useEffect(() => {
    ofViews.push(keys);
    return () => void ofViews.splice(ofViews.indexOf(keys), 1);
  });
}

const tool = (name: string): void => document.querySelector<HTMLElement>(`[data-tool="${name}"]`)?.focus();

/** `j` and `k`: the next or previous of the things that the view marks with `data-row`. */
function step(by: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>('[data-row]')];
  const at = rows.indexOf(document.activeElement as HTMLElement);
  const next = rows[at < 0 ? 0 : Math.max(0, Math.min(rows.length - 1, at + by))];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: 'nearest' });
}

function table(): void {
  const focused = document.activeElement?.closest('section, .panel')?.querySelector<HTMLDetailsElement>('details.behind');
  const behind = focused ?? document.querySelector<HTMLDetailsElement>('details.behind');
  if (behind === null || behind === undefined) return;
  behind.open = !behind.open;
  behind.querySelector('summary')?.focus();
}

export function listenToKeys(openHelp: () => void): void {
  let going = 0;
  const everywhere: Keys = {
    '/': event => {
      event.preventDefault();
      document.getElementById('find')?.focus();
    },
    '?': openHelp,
    t: toggleTheme,
    s: () => tool('segment'),
    w: () => tool('window'),
    c: () => tool('compare'),
    d: table,
    j: () => step(1),
    k: () => step(-1),
  };
  addEventListener('keydown', event => {
    const target = event.target as HTMLElement;
    if (!keysOn.value || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) || target.isContentEditable || target.closest('dialog') !== null) return;
    if (Date.now() < going) {
      going = 0;
      const view = VIEWS.find(of => of.key === event.key);
      if (view !== undefined) go(link(view.href));
      return;
    }
    if (event.key === 'g') {
      going = Date.now() + GO_MS;
      return;
    }
    const action = ofViews.map(keys => keys[event.key]).find(found => found !== undefined) ?? everywhere[event.key];
    action?.(event);
  });
}
