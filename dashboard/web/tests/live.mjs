// The page and the present: an event is on the screen within a second, and the stream survives a restart of the server.
import { api, open, post, settled, within } from './browser.mjs';

const ON_SCREEN_MS = 1_000;
const BACK_MS = 60_000;
let n = 0;
const fresh = () => `browser-${Date.now()}-${n++}`;

/** An event of an account that the page shows is in its list. */
export async function anEventIsOnTheScreen(browser, base) {
  const { accounts } = await api(base, '/accounts?limit=1');
  const { account, currency } = accounts[0];
  const { page, faults, close } = await open(browser, base);
  await page.goto(`${base}/accounts/${encodeURIComponent(account)}`);
  await settled(page);
  const live = await within(page, 20_000, 'live', () => document.querySelector('.live-dot:not(.is-off)') !== null);
  const times = [];
  for (let round = 0; round < 5; round++) {
    const id = fresh();
    const shown = within(page, 20_000, 'the event on the page of its account', text => document.querySelector('main').textContent.includes(text), id);
    await post(base, [{ id, source: 'browser', type: 'order.completed', account, time: new Date().toISOString(), data: { order: id, gross: 4900, currency: currency ?? 'EUR' } }]);
    times.push(await shown);
  }
  await close();
  if (faults.length > 0) throw new Error(faults.join('\n'));
  // Other tests run at the same time: one late event is theirs, most of them are ours.
  const median = [...times].sort((a, b) => a - b)[times.length >> 1];
  if (median > ON_SCREEN_MS) throw new Error(`events came on the screen after ${times.join(', ')} ms, expected at most ${ON_SCREEN_MS}`);
  return `connected in ${live} ms; events on the screen after ${times.join(', ')} ms`;
}

/** The overview changes by itself; its tile is tinted. */
export async function theOverviewIsLive(browser, base) {
  const { accounts } = await api(base, '/accounts?limit=1');
  const { account } = accounts[0];
  const { page, faults, close } = await open(browser, base);
  await page.goto(base);
  await settled(page);
  await within(page, 20_000, 'live', () => document.querySelector('.live-dot:not(.is-off)') !== null);
  const events = Array.from({ length: 3 }, () => {
    const id = fresh();
    return { id, source: 'browser', type: 'ticket.opened', account, time: new Date().toISOString(), data: { ticket: id, channel: 'email' } };
  });
  const changed = within(page, 20_000, 'a changed tile', () => document.querySelector('.vital.has-changed') !== null);
  await post(base, events);
  const ms = await changed;
  await close();
  if (faults.length > 0) throw new Error(faults.join('\n'));
  if (ms > ON_SCREEN_MS) throw new Error(`a tile changed after ${ms} ms, expected at most ${ON_SCREEN_MS}`);
  return `a tile changed after ${ms} ms`;
}

/** While the server is away the values are marked as old; when it is back the page is live again, by itself. */
export async function theStreamSurvives(browser, base, server) {
  const { page, close } = await open(browser, base, { allowed: ['ERR_', 'Failed to load', 'net::'] });
  await page.goto(base);
  await settled(page);
  await within(page, 20_000, 'live', () => document.querySelector('.live-dot:not(.is-off)') !== null);
  await server('stop');
  const lost = await within(page, 20_000, 'a lost connection is said', () => document.body.classList.contains('is-lost') && document.querySelector('.banner.is-bad') !== null);
  const marked = await page.evaluate(() => document.querySelectorAll('.vital .asof').length === document.querySelectorAll('.vital').length);
  if (!marked) throw new Error('values of a lost stream look live');
  await server('start');
  const back = await within(page, BACK_MS, 'live again', () => !document.body.classList.contains('is-lost') && document.querySelector('.live-dot:not(.is-off)') !== null);
  const old = await page.evaluate(() => document.querySelectorAll('.vital .asof').length);
  if (old > 0) throw new Error(`${old} values still look old`);
  await close();
  return `lost after ${lost} ms, live again ${back} ms after the start`;
}
