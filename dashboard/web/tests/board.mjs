// A dashboard is built, arranged, saved, shared and read again by keyboard alone.
import { api, open, settled, within } from './browser.mjs';

/** Presses Tab until the focused element fits. */
async function tabTo(page, what, fits, most = 200) {
  for (let step = 0; step < most; step++) {
    if (await page.evaluate(fits)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not come to ${what}`);
}

export async function aDashboardByKeyboard(browser, base) {
  const title = `Keyboard ${Date.now()}`;
  const { page, faults, close } = await open(browser, base);
  await page.goto(base);
  await settled(page);
  await tabTo(page, 'New dashboard', () => document.activeElement?.getAttribute('href') === '/boards/new');
  await page.keyboard.press('Enter');
  await within(page, 20_000, 'the editor', () => document.activeElement?.id === 'board-title');
  await page.keyboard.type(title);
  for (const kind of ['Number', 'Trend', 'Text']) {
    await page.evaluate(() => document.getElementById('board-title').focus());
    // The focus begins at the title each time, as it does for a reader who goes there by a heading.
    for (let step = 0; ; step++) {
      if (step > 100) throw new Error(`Tab does not come to the card ${kind}`);
      await page.keyboard.press('Tab');
      if (await page.evaluate(name => document.activeElement?.textContent === name && document.activeElement.closest('.gallery') !== null, kind)) break;
    }
    const before = await page.evaluate(() => document.querySelectorAll('[data-card]').length);
    await page.keyboard.press('Enter');
    await within(page, 10_000, 'the card has the focus', count => document.querySelectorAll('[data-card]').length === count + 1 && document.activeElement?.dataset.card !== undefined, before);
  }
  // The text goes before the others.
  const last = await page.evaluate(() => document.activeElement.id);
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  await within(page, 10_000, 'the card is first', id => document.querySelector('[data-card]').id === id && document.activeElement?.id === id, last);
  await tabTo(page, 'the text', () => document.activeElement?.tagName === 'TEXTAREA');
  await page.keyboard.type('Read the falls first.');
  await page.evaluate(() => document.getElementById('board-title').focus());
  await page.keyboard.press('Enter');
  await within(page, 20_000, 'saved', () => location.pathname.startsWith('/boards/keyboard-'));
  await settled(page);
  // The address holds the filters.
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press('c');
  await within(page, 5_000, 'the comparison has the focus', () => document.activeElement?.dataset.tool === 'compare');
  await page.keyboard.press('ArrowDown');
  await within(page, 5_000, 'the filter is in the address', () => new URLSearchParams(location.search).get('compare') === 'year');
  const address = page.url();
  const shown = () => [...document.querySelectorAll('.card')].map(card => card.dataset.title);
  const cards = await page.evaluate(shown);
  await close();
  if (faults.length > 0) throw new Error(faults.join('\n'));

  const other = await open(browser, base);
  await other.page.goto(address);
  await settled(other.page);
  const again = await other.page.evaluate(shown);
  const heading = await other.page.evaluate(() => document.querySelector('h1').textContent);
  const compare = await other.page.evaluate(() => document.querySelector('[data-tool="compare"]').value);
  const text = await other.page.evaluate(() => document.querySelector('.card-text').textContent);
  if (heading !== title || JSON.stringify(again) !== JSON.stringify(cards) || again.length !== 3) throw new Error(`read again: ${heading} ${again} for ${title} ${cards}`);
  if (compare !== 'year' || text !== 'Read the falls first.') throw new Error(`the filter or the text is lost: ${compare} ${text}`);
  if (other.faults.length > 0) throw new Error(other.faults.join('\n'));
  const name = new URL(address).pathname.split('/')[2];
  const yaml = await (await fetch(`${base}/api/v1/dashboards/${name}?format=yaml`)).text();
  if (!yaml.includes('Read the falls first.')) throw new Error(`the export has not the text: ${yaml}`);

  // Taken away again; the browser asks first.
  other.page.on('dialog', dialog => void dialog.accept());
  await other.page.evaluate(() => [...document.querySelectorAll('.head-actions button')].at(-1).click());
  await within(other.page, 10_000, 'deleted', () => location.pathname === '/');
  const { dashboards } = await api(base, '/dashboards');
  if (dashboards.some(board => board.name === name)) throw new Error('it is still there');
  await other.close();
  return `saved as ${name}, read again, exported, deleted`;
}
