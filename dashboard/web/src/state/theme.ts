// Light or dark: the system's, or the reader's choice. `painted` counts changes, for what is drawn on a canvas.
import { signal } from '@preact/signals';
import { store } from './stored';

export const painted = signal(0);
const system = matchMedia('(prefers-color-scheme: dark)');

export function isDark(): boolean {
  const chosen = document.documentElement.dataset['theme'];
  return chosen === undefined ? system.matches : chosen === 'dark';
}

export function toggleTheme(): void {
  const theme = isDark() ? 'light' : 'dark';
  document.documentElement.dataset['theme'] = theme;
  store('theme', theme);
  painted.value++;
}

system.addEventListener('change', () => painted.value++);
