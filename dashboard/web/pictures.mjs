// The pictures of the documentation, from the real product: node pictures.mjs URL [FOLDER]. The server holds a demo company.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch, open, settled } from './tests/browser.mjs';
import { views } from './tests/looks.mjs';

const [base, folder = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../docs/pictures')] = process.argv.slice(2);
if (base === undefined) {
  console.error('pictures.mjs needs the address of a server: node pictures.mjs http://127.0.0.1:8080');
  process.exit(2);
}
const PICTURES = [
  { name: 'overview', view: 'overview', size: 'desk', theme: 'light' },
  { name: 'metric-dark', view: 'metric', size: 'desk', theme: 'dark' },
  { name: 'accounts', view: 'accounts', size: 'desk', theme: 'light' },
  { name: 'account', view: 'account', size: 'desk', theme: 'light' },
  { name: 'alerts', view: 'alerts', size: 'desk', theme: 'light' },
  { name: 'pipeline', view: 'pipeline', size: 'desk', theme: 'light' },
  { name: 'board', view: 'board', size: 'desk', theme: 'light' },
  { name: 'phone', view: 'overview', size: 'phone', theme: 'light' },
];

mkdirSync(folder, { recursive: true });
const browser = await launch();
const all = await views(base);
for (const { name, view, size, theme } of PICTURES) {
  const { page, close } = await open(browser, base, { size, theme });
  await page.goto(base + all[view]);
  await settled(page);
  await page.waitForFunction(() => document.querySelector('.live-dot:not(.is-off)') !== null, { timeout: 20_000 });
  await page.screenshot({ path: path.join(folder, `${name}.png`) });
  console.log(path.join(folder, `${name}.png`));
  await close();
}
await browser.close();
