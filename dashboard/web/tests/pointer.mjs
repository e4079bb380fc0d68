// A dashboard arranged by pointer: a card is dragged by its handle, and the order is what is saved.
import { api, open, settled, within } from './browser.mjs';

const order = () => [...document.querySelectorAll('[data-card]')].map(card => card.dataset.card);
const shown = () => [...document.querySelectorAll('.card')].map(card => card.dataset.title);

/** Takes a card by its handle to the middle of another one, as a hand does: in steps. */
async function drag(page, from, to) {
  const middle = async selector => {
    const element = await page.$(selector);
    const { x, y, width, height } = await element.boundingBox();
    return [x + width / 2, y + height / 2];
  };
  await page.evaluate(id => document.querySelector(`[data-card="${id}"]`).scrollIntoView({ block: 'center' }), from);
  await page.mouse.move(...(await middle(`[data-card="${from}"] .card-grip`)));
  await page.mouse.down();
  await page.mouse.move(...(await middle(`[data-card="${to}"] .card-head`)), { steps: 12 });
  await page.mouse.up();
}

export async function aDashboardByPointer(browser, base) {
  const title = `Pointer ${Date.now()}`;
  const { page, faults, close } = await open(browser, base);
  await page.goto(`${base}/boards/new?from=success`);
  await within(page, 20_000, 'the editor', () => document.querySelectorAll('[data-card]').length > 3);
  await settled(page);
  const before = await page.evaluate(order);
  const [first, second, third] = before;
  await drag(page, third, first);
  const after = await page.evaluate(order);
  const wanted = [third, first, second, ...before.slice(3)];
  if (JSON.stringify(after) !== JSON.stringify(wanted)) throw new Error(`the third card dragged to the first place: ${after} for ${wanted}`);
  // And back, over two cards.
  await drag(page, third, second);
  const back = await page.evaluate(order);
  if (JSON.stringify(back) !== JSON.stringify([first, second, third, ...before.slice(3)])) throw new Error(`dragged back: ${back}`);
  await drag(page, second, first);
  if (await page.evaluate(() => document.querySelector('.is-dragged') !== null)) throw new Error('a card still looks dragged');
  const titles = await page.evaluate(() => [...document.querySelectorAll('[data-card] .card-head h2')].map(head => head.textContent));

  await page.click('#board-title', { count: 3 });
  await page.keyboard.type(title);
  await page.click('.editing button[type="submit"]');
  await within(page, 20_000, 'saved', () => location.pathname.startsWith('/boards/pointer-'));
  await settled(page);
  const saved = await page.evaluate(shown);
  if (JSON.stringify(saved) !== JSON.stringify(titles)) throw new Error(`shown ${saved}, arranged ${titles}`);
  const name = await page.evaluate(() => location.pathname.split('/')[2]);
  const board = await api(base, `/dashboards/${name}`);
  if (JSON.stringify(board.cards.slice(0, 3).map(card => card.id)) !== JSON.stringify([second, first, third])) throw new Error(`the server has ${board.cards.map(card => card.id)}`);
  await fetch(`${base}/api/v1/dashboards/${name}`, { method: 'DELETE', headers: { 'content-type': 'application/json' } });
  await close();
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return `${before.length} cards, three drags, saved in that order`;
}
