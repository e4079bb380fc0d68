// Every view at three widths, light and dark, in three languages: no violation of axe, nothing wider than the window,
// nothing cut off inside a panel, no error, nothing off the host.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { LANGUAGES, SIZES, THEMES, api, open, settled } from './browser.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function views(base) {
  const { accounts } = await api(base, '/accounts?sort=fall&limit=1');
  const { dashboards } = await api(base, '/dashboards');
  return {
    overview: '/',
    catalog: '/catalog',
    metric: '/metrics/nps',
    pipeline: '/pipeline',
    accounts: '/accounts',
    account: `/accounts/${encodeURIComponent(accounts[0].account)}`,
    alerts: '/alerts',
    rules: '/alerts?tab=rules',
    goals: '/goals',
    backtest: '/backtest',
    system: '/system',
    board: `/boards/${dashboards[0].name}`,
    editor: `/boards/new?from=${dashboards[0].name}`,
  };
}

const boxes = () => {
  const faults = [];
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 0) faults.push(`${wide} px wider than the window`);
  for (const panel of document.querySelectorAll('.panel, .vitals')) {
    const outer = panel.getBoundingClientRect();
    for (const element of panel.querySelectorAll('td, th, p, span, a, li, button, input, svg.bar')) {
      if (element.closest('.vh, .scroll, .spark-box, .uplot, [hidden], pre') || element.getClientRects().length === 0) continue;
      const inner = element.getBoundingClientRect();
      // What an ellipsis stands for is cut on purpose.
      if (element.closest('.item-name, .item-sub, .cell-short, .row-name, .one-line, .vital-foot, .chip-text, .card-head, .alert-what')) continue;
      if (inner.right > outer.right + 1 || inner.left < outer.left - 1) faults.push(`cut off: ${element.tagName} ${element.textContent.slice(0, 40)}`);
    }
  }
  return faults.slice(0, 4);
};

const violations = async () => {
  const { violations: found } = await window.axe.run(document, { rules: { 'target-size': { enabled: true } } });
  return found.map(of => `${of.id} (${of.impact}) ${of.nodes.length}: ${of.nodes[0].html.slice(0, 160)}`);
};

/** Looks at all views; `shot` is called with each page that is ready. Languages in turn, widths at a time: two pages at once. */
export async function looks(browser, base, shot = async () => {}, only = null) {
  const faults = [];
  let looked = 0;
  const all = Object.entries(await views(base)).filter(([name]) => only === null || only.includes(name));
  const jobs = LANGUAGES.flatMap(language => Object.keys(SIZES).map(size => ({ language, size })));
  const work = async () => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      const { language, size } = job;
      const { page, faults: own, close } = await open(browser, base, { size, language });
      for (const [name, path] of all) {
        await page.goto(base + path);
        await settled(page).catch(error => own.push(`never settled: ${error.message}`));
        for (const theme of THEMES) {
          await page.emulateMediaFeatures([
            { name: 'prefers-color-scheme', value: theme },
            { name: 'prefers-reduced-motion', value: 'reduce' },
          ]);
          await new Promise(done => setTimeout(done, 60));
          own.push(...(await page.evaluate(boxes)));
          await page.evaluate(axe);
          own.push(...(await page.evaluate(violations)));
          await shot(page, { name, size, theme, language });
          looked++;
          for (const fault of own.splice(0)) faults.push(`${name} ${size} ${theme} ${language}: ${fault}`);
        }
      }
      await close();
    }
  };
  await Promise.all([work(), work()]);
  return { looked, faults };
}
