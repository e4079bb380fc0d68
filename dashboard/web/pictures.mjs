// The pictures of the documentation, from the real product: node pictures.mjs PROGRAM|URL [FOLDER]. A program is `vitals`: its
// demo company is simulated anew. Each picture is small enough for a page of text; one that is not fails.
import { spawn } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { launch, open, settled } from './tests/browser.mjs';
import { views } from './tests/looks.mjs';

const BYTES_MOST = 150 * 1024;
/** As small as shows the page with the column beside it. */
const DESK = [1216, 632];
const PICTURES = [
  { name: 'overview', view: 'overview', theme: 'light' },
  { name: 'metric', view: 'metric', theme: 'dark' },
  { name: 'account', view: 'account', theme: 'light' },
  { name: 'pipeline', view: 'pipeline', theme: 'light' },
  { name: 'alerts', view: 'alerts', theme: 'dark' },
  { name: 'phone', view: 'overview', theme: 'light', size: 'phone' },
];

const [of, folder = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../docs/pictures')] = process.argv.slice(2);
if (of === undefined) {
  console.error('pictures.mjs needs a program or the address of a server: node pictures.mjs ../../target/release/vitals');
  process.exit(2);
}

/** The demo company with its year behind it; hardly anything happens while its pictures are taken. */
async function demo(program) {
  const child = spawn(program, ['demo', '--listen', '127.0.0.1:0', '--pace', '1'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const base = await new Promise((found, failed) => {
    child.on('exit', code => failed(new Error(`${program} demo ended with ${code}`)));
    createInterface({ input: child.stdout }).on('line', line => {
      const match = /open (http:\/\/\S+)/.exec(line);
      if (match !== null) found(match[1]);
    });
  });
  const isThere = async () => {
    const site = await fetch(`${base}/api/v1/site`).then(answer => answer.json()).catch(() => null);
    return site?.clock != null && Date.now() - Date.parse(site.clock) < 60_000;
  };
  while (!(await isThere())) await new Promise(done => setTimeout(done, 1_000));
  return { base, end: () => child.kill('SIGINT') };
}

const { base, end } = of.startsWith('http') ? { base: of.replace(/\/$/, ''), end: () => undefined } : await demo(of);
mkdirSync(folder, { recursive: true });
const browser = await launch();
const all = await views(base);
let failed = false;
for (const { name, view, size = 'desk', theme } of PICTURES) {
  const { page, close } = await open(browser, base, { size, theme });
  if (size === 'desk') await page.setViewport({ width: DESK[0], height: DESK[1] });
  await page.goto(base + all[view]);
  await settled(page);
  await page.waitForFunction(() => document.querySelector('.live-dot:not(.is-off)') !== null, { timeout: 20_000 });
  const file = path.join(folder, `${name}.png`);
  await page.screenshot({ path: file });
  const { size: bytes } = statSync(file);
  console.log(`${file}: ${Math.round(bytes / 1024)} KB`);
  if (bytes > BYTES_MOST) {
    console.error(`${file} is larger than ${BYTES_MOST / 1024} KB`);
    failed = true;
  }
  await close();
}
await browser.close();
end();
process.exitCode = failed ? 1 : 0;
