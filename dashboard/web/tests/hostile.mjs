// Hostile text in events is text: scripts, right-to-left and invisible characters, the longest names that the door takes. What the
// door refuses, control characters and names of 10 KB, never comes here.
import { open, post, settled, within } from './browser.mjs';

const SCRIPT = '<script>window.pwned=1</script><img src=x onerror="window.pwned=2">';
const NAMES = {
  script: SCRIPT,
  rtl: '\u202Eشركة مظلات القمر\u202C',
  long: `Long ${'Wolkenkuckucksheim'.repeat(56)}`,
  invisible: 'Zero\u200bwidth\u200d and \u2066isolates\u2069 and ﷽﷽﷽ Z̸̡̢̛͇̬͍͑̌̒a̷l̵g̶o̴',
  template: '${window.pwned=3} {{constructor.constructor("window.pwned=4")()}} javascript:alert(1)',
};

export async function hostileTextIsText(browser, base) {
  const at = new Date().toISOString();
  const events = Object.entries(NAMES).flatMap(([kind, name]) => {
    const account = `hostile-${kind}`;
    return [
      { id: `h-${kind}-1`, source: 'browser', type: 'account.updated', account, time: at, data: { traits: { name, owner: name, plan: kind === 'long' ? 'team' : name, custom: { note: name } } } },
      { id: `h-${kind}-2`, source: 'browser', type: 'order.completed', account, time: at, data: { order: `o-${kind}`, gross: 4900, currency: 'EUR' } },
      { id: `h-${kind}-3`, source: 'browser', type: 'ticket.opened', account, time: at, data: { ticket: `t-${kind} ${SCRIPT}`, channel: 'email' } },
    ];
  });
  await post(base, events);
  for (const name of [`Bell\u0007 and escape\u001b[31m`, 'x'.repeat(10_000)]) {
    const event = { id: 'h-refused', source: 'browser', type: 'account.updated', account: 'hostile-refused', data: { traits: { name } } };
    const said = await post(base, [event]).then(() => null, error => error.message);
    if (!said?.includes('control characters')) throw new Error(`the door took ${JSON.stringify(name.slice(0, 40))}: ${said}`);
  }
  for (const size of ['phone', 'desk']) {
    const { page, faults, close } = await open(browser, base, { size });
    for (const kind of Object.keys(NAMES)) {
      await page.goto(`${base}/accounts/hostile-${kind}`);
      await within(page, 60_000, `the account hostile-${kind}`, () => document.querySelector('main .event') !== null);
      await settled(page);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 0) faults.push(`hostile-${kind} is ${wide} px too wide at ${size}`);
      if (kind === 'script') {
        const heading = await page.evaluate(() => document.querySelector('h1').textContent);
        if (!heading.includes('<script>')) faults.push(`the name is not shown as text: ${heading}`);
      }
    }
    for (const path of ['/accounts?q=hostile', '/accounts?sort=last_seen', '/', '/metrics/response_time_waiting']) {
      await page.goto(base + path);
      await settled(page);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 0) faults.push(`${path} is ${wide} px too wide at ${size}`);
    }
    if (size === 'desk') {
      await page.keyboard.press('/');
      await page.keyboard.type('window.pwned');
      await within(page, 10_000, 'found', () => document.querySelector('#find-hits:not([hidden]) .hit') !== null);
    }
    const pwned = await page.evaluate(() => window.pwned);
    if (pwned !== undefined) faults.push(`a script of an event ran: ${pwned}`);
    const elements = await page.evaluate(() => document.querySelectorAll('main script, main img, main iframe').length);
    if (elements > 0) faults.push(`${elements} elements came from text`);
    await close();
    if (faults.length > 0) throw new Error(faults.join('\n'));
  }
  return `${Object.keys(NAMES).length} names, two widths`;
}
