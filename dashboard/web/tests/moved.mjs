// Why a score moved: two days chosen on the chart, by keyboard and by dates; the rows add up to the change, to the decimal.
import { api, open, settled, within } from './browser.mjs';

const fall = () => {
  const number = text => (text === 'none' ? 0 : Number(text.replaceAll('−', '-').replaceAll('±', '')));
  const of = selector => [...document.querySelectorAll(`.fall ${selector} .fall-num`)].map(cell => number(cell.textContent));
  const [before, after] = of('.fall-end');
  return { before, after, rows: of('tbody tr:not(.fall-end, .fall-group)'), groups: of('.fall-group') };
};
const sum = numbers => numbers.reduce((a, b) => a + b, 0);

async function addsUp(page, what) {
  await settled(page);
  const { before, after, rows, groups } = await page.evaluate(fall);
  if (![before, after].every(Number.isFinite)) throw new Error(`${what}: no score at an end: ${before}, ${after}`);
  for (const [name, numbers] of Object.entries({ rows, groups }))
    if (Math.abs(before + sum(numbers) - after) > 0.01) throw new Error(`${what}: ${before} and the ${name} ${numbers} do not make ${after}`);
  return rows.length;
}

const asked = () => Object.fromEntries(new URLSearchParams(location.search));

export async function aChangeIsExplained(browser, base) {
  const { accounts } = await api(base, '/accounts?sort=fall&limit=1');
  const { page, faults, close } = await open(browser, base);
  await page.goto(`${base}/accounts/${encodeURIComponent(accounts[0].account)}`);
  let rows = await addsUp(page, 'the last 30 days');
  const { before, after } = await page.evaluate(fall);
  const { change } = accounts[0];
  if (Math.abs(after - before - change) > 0.11) throw new Error(`the list says ${change}, the page ${before} to ${after}`);
  if (rows === 0) throw new Error('the steepest fall has no cause');

  const plot = await page.$('.plot-host .u-over');
  await plot.scrollIntoView();
  const { x, y, width, height } = await plot.boundingBox();
  const at = share => [x + width * share, y + height / 2];
  await page.mouse.move(...at(0.55));
  await page.mouse.down();
  await page.mouse.move(...at(0.68), { steps: 8 });
  await page.mouse.up();
  await within(page, 5_000, 'the days that were drawn over are in the address', () => /since=\d{4}-\d\d-\d\d/.test(location.search) && /at=\d{4}-\d\d-\d\d/.test(location.search));
  const drawn = await page.evaluate(asked);
  const days = (Date.parse(drawn.at) - Date.parse(drawn.since)) / 86_400_000;
  if (!(days > 10 && days < 20)) throw new Error(`drawn over 13 % of 120 days: ${drawn.since} to ${drawn.at}`);
  rows = Math.max(rows, await addsUp(page, 'drawn on the chart'));

  await page.focus('.plot-area');
  for (let step = 0; step < 40; step++) await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('Enter');
  await within(page, 5_000, 'one day by keyboard', () => new URLSearchParams(location.search).get('since') === new URLSearchParams(location.search).get('at'));
  await addsUp(page, 'one day');

  const since = new Date(Date.now() - 60 * 86_400_000).toISOString().slice(0, 10);
  await page.evaluate(day => {
    const [from] = document.querySelectorAll('#moved input[type="date"]');
    from.value = day;
    from.dispatchEvent(new Event('change', { bubbles: true }));
  }, since);
  await within(page, 5_000, 'a date is in the address', day => new URLSearchParams(location.search).get('since') === day, since);
  await addsUp(page, 'by dates');
  // The address is the same for everybody.
  const address = page.url();
  const table = await page.evaluate(() => document.querySelector('.fall').textContent);
  await page.goto(address);
  await addsUp(page, 'from the address');
  if ((await page.evaluate(() => document.querySelector('.fall').textContent)) !== table) throw new Error('the same address explains something else');
  await page.click('#moved .section-tools button');
  await within(page, 5_000, 'the usual days again', () => location.search === '');
  await close();
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return `${rows} rows add up; drawn from ${drawn.since} to ${drawn.at}, one day by keyboard, two dates, one address`;
}
