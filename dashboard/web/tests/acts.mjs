// What a reader does about things: acknowledges an alert, silences it for a while and ends the silence, replays a dead letter.
import { api, open, settled, within } from './browser.mjs';

const WHO = `Mara ${Date.now()}`;
/** The door takes events dated so far ahead. */
const AHEAD_MS = 300_000;

const of = async (base, id) => api(base, `/alerts/${encodeURIComponent(id)}`);
async function until(what, is) {
  for (const begun = Date.now(); Date.now() - begun < 20_000; await new Promise(done => setTimeout(done, 100))) if (await is()) return;
  throw new Error(`${what}: not within 20 s`);
}

/** Acknowledged and silenced on the page, it is so for everybody; a name is asked for once. */
export async function anAlertIsDealtWith(browser, base) {
  const { alerts } = await api(base, '/alerts?state=firing&limit=50');
  const id = alerts.find(alert => alert.acknowledged === null && alert.silenced_until === null)?.id;
  if (id === undefined) throw new Error('no alert is firing');
  const { page, faults, close } = await open(browser, base);
  let asked = 0;
  page.on('dialog', dialog => {
    asked++;
    void dialog.accept(WHO);
  });
  await page.goto(`${base}/alerts?alert=${encodeURIComponent(id)}`);
  await settled(page);
  await page.click('.evidence [data-do="acknowledge"]');
  await within(page, 20_000, 'who acknowledged it', who => document.querySelector('.evidence').textContent.includes(who), WHO);
  if ((await of(base, id)).acknowledged?.by !== WHO) throw new Error('the server does not know who acknowledged it');
  if (await page.evaluate(() => document.querySelector('.evidence [data-do="acknowledge"]') !== null)) throw new Error('it can be acknowledged again');

  await page.select('.evidence select', '7d');
  await within(page, 20_000, 'silenced', () => document.querySelector('.evidence select') === null);
  const { silenced_until: silenced } = await of(base, id);
  const days = (Date.parse(silenced) - Date.now()) / 86_400_000;
  if (!(days > 6.9 && days < 8)) throw new Error(`silenced for 7 days until ${silenced}`);
  if (asked !== 1) throw new Error(`the name was asked for ${asked} times`);
  await page.goto(`${base}/alerts?state=silenced`);
  await within(page, 20_000, 'among the silenced', row => document.querySelector(`[data-row="${row}"]`) !== null, id);

  await page.goto(`${base}/system`);
  await settled(page);
  await within(page, 20_000, 'the silence', who => [...document.querySelectorAll('aside .item')].some(item => item.textContent.includes(who)), WHO);
  await page.evaluate(who => [...document.querySelectorAll('aside .item')].find(item => item.textContent.includes(who)).querySelector('button').click(), WHO);
  await within(page, 20_000, 'the silence is over', who => ![...document.querySelectorAll('aside .item')].some(item => item.textContent.includes(who)), WHO);
  await until('the alert is heard again', async () => (await of(base, id)).silenced_until === null);
  await close();
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return 'acknowledged, silenced for a week, heard again';
}

/** An event dated a little too far ahead is a dead letter; handed in again when its time is near, it counts. */
export async function aDeadLetterIsReplayed(browser, base) {
  const { accounts } = await api(base, '/accounts?limit=1');
  const id = `ahead-${Date.now()}`;
  const time = Date.now() + AHEAD_MS + 3_000;
  const event = { id, source: 'browser', type: 'ticket.opened', account: accounts[0].account, time: new Date(time).toISOString(), data: { ticket: id, channel: 'email' } };
  const answer = await fetch(`${base}/v1/events`, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body: JSON.stringify(event) });
  const said = await answer.json();
  if (said.quarantined !== 1) throw new Error(`it was not refused: ${JSON.stringify(said)}`);
  await until('the dead letter', async () => (await api(base, '/dead-letters?limit=20')).letters.some(letter => letter.text?.includes(id)));

  const { page, faults, close } = await open(browser, base);
  await page.goto(`${base}/system`);
  await settled(page);
  await within(page, 20_000, 'the letter on the page', text => [...document.querySelectorAll('.letter')].some(letter => letter.textContent.includes(text)), id);
  await new Promise(done => setTimeout(done, Math.max(0, time - AHEAD_MS + 500 - Date.now())));
  const press = text => [...document.querySelectorAll('.letter')].find(letter => letter.textContent.includes(text)).querySelector('button').click();
  await page.evaluate(press, id);
  await within(page, 20_000, 'sent again', text => [...document.querySelectorAll('.letter')].find(letter => letter.textContent.includes(text)).querySelector('button').disabled, id);
  const path = `/accounts/${encodeURIComponent(event.account)}`;
  await until('the event among those of its account', async () => (await api(base, `${path}/events?limit=100`)).events.some(found => found.id === id));
  await page.goto(base + path);
  await within(page, 20_000, 'the event on the page', text => document.querySelector('main').textContent.includes(text), id);
  await close();
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return 'refused, replayed, on the page of its account';
}
