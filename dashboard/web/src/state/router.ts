// Where the reader is: the address is the only place that says it, so a link shows what its sender saw.
import { batch, computed, signal } from '@preact/signals';

export const address = signal(new URL(location.href));
export const place = computed(() => address.value.pathname);
export const query = computed(() => address.value.searchParams);

/** Goes to a place of this site; the page begins at its top, and its content takes the focus. */
export function go(to: string): void {
  const target = new URL(to, location.href);
  const moved = target.pathname !== address.value.pathname;
  history.pushState(null, '', target);
  address.value = target;
  if (!moved) return;
  scrollTo(0, 0);
  requestAnimationFrame(() => {
    const main = document.getElementById('main');
    // A view may have put the focus where its reader begins.
    if (main?.contains(document.activeElement) !== true || document.activeElement === main) main?.focus({ preventScroll: true });
  });
}

/** Changes the query in place; null takes a name away. */
export function amend(changes: Record<string, string | null>): void {
  const target = new URL(address.value);
  for (const [name, value] of Object.entries(changes))
    if (value === null) target.searchParams.delete(name);
    else target.searchParams.set(name, value);
  history.replaceState(null, '', target);
  address.value = target;
}

/** Links of this site are followed without a new page. */
export function listen(): void {
  addEventListener('popstate', () => batch(() => (address.value = new URL(location.href))));
  document.addEventListener('click', event => {
    if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.('a');
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (link.pathname.startsWith('/api/') || (link.hash !== '' && link.pathname === location.pathname)) return;
    event.preventDefault();
    go(link.href);
  });
}
