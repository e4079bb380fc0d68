// A hundred thousand accounts: the page holds the rows in view alone, scrolls without a stop, and search and sort answer.
// It needs a server of its own, with MANY accounts named b000000 and on, the highest of which bought most.
import { open, settled, within } from './browser.mjs';

export const MANY = 100_000;
const ROWS_MOST = 90;
/** A frame of a machine that does other things too; on an idle one it is 17. */
const FRAME_MS = 50;
const ANSWER_MS = 5_000;
const nameOf = n => `b${String(n).padStart(6, '0')}`;

/** Scrolls so many screens a frame at a time, and says how long frames took, and rows at most. */
const glide = async frames => {
  const times = [];
  let rows = 0;
  let last = performance.now();
  for (let frame = 0; frame < frames; frame++) {
    window.scrollBy(0, 400);
    await new Promise(done => requestAnimationFrame(done));
    const at = performance.now();
    times.push(at - last);
    last = at;
    rows = Math.max(rows, document.querySelectorAll('tbody tr').length);
  }
  times.sort((a, b) => a - b);
  return { median: times[frames >> 1], p95: times[Math.floor(frames * 0.95)], rows, top: window.scrollY };
};

export async function manyAccounts(browser, base) {
  const { page, faults, close } = await open(browser, base);
  await page.goto(`${base}/accounts?sort=value`);
  await settled(page);
  const total = await page.evaluate(() => Number(document.querySelector('table').getAttribute('aria-rowcount')) - 1);
  if (total !== MANY) throw new Error(`${total} rows, expected ${MANY}`);
  const first = () => document.querySelector('tbody [data-row]')?.dataset.row;
  if ((await page.evaluate(first)) !== nameOf(MANY - 1)) throw new Error(`the first by value is ${await page.evaluate(first)}`);
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  if (height < MANY * 30) throw new Error(`the page is ${height} px high: it does not have room for all rows`);

  const { median, p95, rows, top } = await page.evaluate(glide, 120);
  if (rows > ROWS_MOST) throw new Error(`${rows} rows are in the page`);
  if (top < 119 * 400) throw new Error(`scrolled to ${top} px only`);
  if (median > FRAME_MS) throw new Error(`a frame took ${median.toFixed(0)} ms while it scrolled`);
  // Rows come when their page has been read.
  const deep = await within(page, ANSWER_MS, 'the rows in view', () => {
    const middle = document.elementFromPoint(700, 450)?.closest('tr');
    return middle?.querySelector('[data-row]') != null;
  });
  const row = await page.evaluate(() => {
    const { ariaRowIndex, firstElementChild } = document.elementFromPoint(700, 450).closest('tr');
    return [Number(ariaRowIndex) - 2, firstElementChild.querySelector('[data-row]').dataset.row];
  });
  if (row[1] !== nameOf(MANY - 1 - row[0])) throw new Error(`row ${row[0]} by value is ${row[1]}`);

  const wanted = nameOf(31_415);
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.type('main input[type="search"]', wanted);
  const found = await within(page, ANSWER_MS, `${wanted} found`, name => {
    const shown = [...document.querySelectorAll('tbody [data-row]')].map(of => of.dataset.row);
    return shown.length === 1 && shown[0] === name;
  }, wanted);
  await page.goto(`${base}/accounts?sort=value`);
  await settled(page);
  await page.evaluate(() => [...document.querySelectorAll('th button')].at(-1).click());
  const sorted = await within(page, ANSWER_MS, 'sorted by last seen', () => new URLSearchParams(location.search).get('sort') === 'last_seen' && document.querySelector('tbody [data-row]')?.dataset.row < 'b099999');
  await close();
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return `${rows} rows in the page, frames ${median.toFixed(1)} ms (95 %: ${p95.toFixed(1)} ms), rows in view after ${deep} ms, search ${found} ms, sort ${sorted} ms`;
}
