// Keyboard: the skip link first, `g` and a letter, find, rows, the table behind a chart, Esc; and each focus shows.
import { open, settled, within } from './browser.mjs';

export async function theKeyboardReachesEverything(browser, base) {
  const { page, faults, close } = await open(browser, base);
  await page.goto(base);
  await settled(page);
  await page.keyboard.press('Tab');
  if (!(await page.evaluate(() => document.activeElement?.classList.contains('skip')))) throw new Error('the skip link is not first');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  if (!(await page.evaluate(() => document.activeElement?.closest('main') !== null))) throw new Error('the skip link does not skip');
  for (let step = 0; step < 60; step++) {
    await page.keyboard.press('Tab');
    const hidden = await page.evaluate(() => {
      const seen = element => element && getComputedStyle(element).outlineStyle !== 'none';
      const element = document.activeElement;
      const ok = element === document.body || seen(element) || seen(element.closest('.vital, .pick, .find')) || seen(element.nextElementSibling);
      return ok ? null : element.outerHTML.slice(0, 120);
    });
    if (hidden !== null) throw new Error(`a focus that does not show: ${hidden}`);
  }
  const blur = () => page.evaluate(() => document.activeElement?.blur());
  for (const [key, path] of [['a', '/accounts'], ['l', '/alerts'], ['p', '/pipeline'], ['m', '/catalog'], ['g', '/goals'], ['b', '/backtest'], ['s', '/system'], ['o', '/']]) {
    await blur();
    await page.keyboard.press('g');
    await page.keyboard.press(key);
    await within(page, 10_000, `g ${key}`, wanted => location.pathname === wanted, path);
  }
  await page.goto(`${base}/metrics/nps`);
  await settled(page);
  await page.keyboard.press('d');
  await within(page, 5_000, 'the table behind the chart', () => document.querySelector('details.behind[open] table') !== null);
  await page.focus('.plot-area');
  await page.keyboard.press('ArrowLeft');
  await within(page, 5_000, 'the chart reads a value', () => document.querySelector('.readout strong') !== null);
  await page.goto(`${base}/accounts`);
  await settled(page);
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('k');
  await page.keyboard.press('Enter');
  await within(page, 10_000, 'the first customer', () => location.pathname.startsWith('/accounts/'));
  await page.keyboard.press('?');
  await within(page, 5_000, 'the list of keys', () => document.querySelector('dialog[open]') !== null);
  await page.keyboard.press('Escape');
  await within(page, 5_000, 'closed', () => document.querySelector('dialog[open]') === null);
  const before = await page.evaluate(() => document.documentElement.dataset.theme);
  await page.keyboard.press('t');
  if ((await page.evaluate(() => document.documentElement.dataset.theme)) === before) throw new Error('t does nothing');
  await page.goto(base);
  await settled(page);
  await page.keyboard.press('/');
  await page.keyboard.type('Net Promoter');
  await within(page, 10_000, 'found', () => document.querySelector('#find-hits:not([hidden]) [role="option"]') !== null);
  await page.keyboard.press('Enter');
  await within(page, 10_000, 'the metric', () => location.pathname === '/metrics/nps');
  await close();
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return 'all keys act';
}
