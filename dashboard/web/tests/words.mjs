// Words of the catalog: built-in metrics are in the reader's language, titles and descriptions; what a catalog says in its own
// words stays as it is, in any language.
import { api, open, settled } from './browser.mjs';

const OWN = { title: 'Would they tell a friend?', description: 'Our own way to ask.' };

const list = () =>
  Object.fromEntries([...document.querySelectorAll('main th [data-row]')].map(link => [link.dataset.row, [link.textContent.trim(), link.closest('th').querySelector('.sub')?.textContent.trim() ?? '']]));

export async function wordsOfTheCatalog(browser, base) {
  const { metrics } = await api(base, '/metrics');
  const english = Object.fromEntries(metrics.map(metric => [metric.name, [metric.title, metric.description]]));
  for (const language of ['en', 'ja', 'id']) {
    const { page, faults, close } = await open(browser, base, { language });
    await page.goto(`${base}/catalog`);
    await settled(page);
    for (const [name, [title, words]] of Object.entries(await page.evaluate(list))) {
      const [own, ownWords] = english[name];
      if (language === 'en' && (title !== own || words !== ownWords)) faults.push(`en: ${name} is ${title}: ${words}`);
      // Some titles are the same in every language: NPS, MRR.
      if (language !== 'en' && words === ownWords) faults.push(`${language}: ${name} is described in English`);
      if (language === 'ja' && title === own) faults.push(`ja: ${name} is called ${title}`);
    }
    await close();
    if (faults.length > 0) throw new Error(faults.join('\n'));
  }

  const { page, faults, close } = await open(browser, base, { language: 'ja' });
  await page.setRequestInterception(true);
  const changed = metrics.map(metric => (metric.name === 'nps' ? { ...metric, ...OWN } : metric));
  page.on('request', request => {
    if (new URL(request.url()).pathname !== '/api/v1/metrics') void request.continue();
    else void request.respond({ contentType: 'application/json', body: JSON.stringify({ metrics: changed }) });
  });
  await page.goto(`${base}/catalog`);
  await settled(page);
  const { nps, csat } = await page.evaluate(list);
  if (nps[0] !== OWN.title || nps[1] !== OWN.description) faults.push(`a title of one's own became ${nps.join(': ')}`);
  if (csat[0] === english.csat[0]) faults.push(`beside it the built-in one is ${csat[0]}`);
  await close();
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return `${metrics.length} metrics in three languages, one with words of its own`;
}
