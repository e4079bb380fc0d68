// Deals that have stopped: a deal that stays in its stage more than twice as long as deals usually do is listed, with its
// customer, and is gone when it moves. One that has just come into the stage is not.
import { api, open, post, settled, within } from './browser.mjs';

const DAY_MS = 86_400_000;
const STAGE = 'legal';

export async function dealsThatHaveStopped(browser, base) {
  const { accounts } = await api(base, '/accounts?limit=3');
  const run = Date.now();
  const opened = (deal, account, time) => ({
    id: `${deal}-opened`, source: 'browser', type: 'opportunity.opened', account, time: new Date(time).toISOString(),
    data: { opportunity: deal, kind: 'new', stage: STAGE, amount: 1_234_500, currency: 'EUR', owner: 'Mara' },
  });
  const closed = (deal, account, time) => ({
    id: `${deal}-closed`, source: 'browser', type: 'opportunity.closed', account, time: new Date(time).toISOString(), data: { opportunity: deal, outcome: 'won' },
  });
  const past = run - 100 * DAY_MS;
  const [old, slow, fresh] = ['old', 'slow', 'fresh'].map(name => `deal-${name}-${run}`);
  await post(base, [
    opened(old, accounts[0].account, past),
    closed(old, accounts[0].account, past + 4 * DAY_MS),
    opened(slow, accounts[1].account, run - 50 * DAY_MS),
    opened(fresh, accounts[2].account, run - 3 * DAY_MS),
  ]);
  for (const begun = Date.now(); ; await new Promise(done => setTimeout(done, 200))) {
    const { deals } = await api(base, `/deals?stage=${STAGE}`);
    if (deals.find(deal => deal.opportunity === slow)?.stopped === true && deals.some(deal => deal.opportunity === fresh)) break;
    if (Date.now() - begun > 30_000) throw new Error(`the deals after 30 s: ${JSON.stringify(deals)}`);
  }
  const { deals } = await api(base, `/deals?stage=${STAGE}`);
  const of = Object.fromEntries(deals.map(deal => [deal.opportunity, deal]));
  if (of[fresh].stopped || of[old] !== undefined) throw new Error(`stopped are ${JSON.stringify(deals)}`);
  if (Math.abs(of[slow].usual_seconds - 4 * 86_400) > 1) throw new Error(`usual are ${of[slow].usual_seconds} s, the one visit took 4 days`);

  const { page, faults, close } = await open(browser, base);
  await page.goto(`${base}/pipeline?currency=EUR`);
  await settled(page);
  const rows = () => Object.fromEntries([...document.querySelectorAll('#stopped [data-row]')].map(link => [link.dataset.row, link.closest('tr').innerText]));
  await within(page, 20_000, 'the deal that has stopped', deal => document.querySelector(`#stopped [data-row="${deal}"]`) !== null, slow);
  const shown = await page.evaluate(rows);
  for (const part of ['€12,345', '50.0', '4.0', 'Mara']) if (!shown[slow].includes(part)) faults.push(`the row lacks ${part}: ${shown[slow]}`);
  if (shown[fresh] !== undefined) faults.push('a deal of three days is listed as stopped');
  await page.click(`#stopped [data-row="${slow}"]`);
  await within(page, 20_000, 'its customer', path => location.pathname === path, `/accounts/${encodeURIComponent(accounts[1].account)}`);

  await post(base, [closed(slow, accounts[1].account, Date.now()), closed(fresh, accounts[2].account, Date.now())]);
  for (const begun = Date.now(); (await api(base, `/deals?stage=${STAGE}`)).total > 0; await new Promise(done => setTimeout(done, 200)))
    if (Date.now() - begun > 30_000) throw new Error('a closed deal is still open');
  await page.goto(`${base}/pipeline?currency=EUR`);
  await settled(page);
  if ((await page.evaluate(rows))[slow] !== undefined) faults.push('a closed deal is still listed');
  await close();
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return 'listed after 50 days where 4 are usual, gone when it is closed';
}
