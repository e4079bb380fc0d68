// A headless Chromium and its pages. Each page reports what it must never do: an error on the console, a request off the host.
import puppeteer from 'puppeteer-core';

export const SIZES = { phone: [360, 740], tablet: [768, 1024], desk: [1440, 900] };
export const LANGUAGES = ['en', 'ja', 'id'];
export const THEMES = ['light', 'dark'];

export async function launch() {
  return puppeteer.launch({
    executablePath: process.env.CHROME || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars'],
    protocolTimeout: 300_000,
  });
}

/** A page with a list of its faults. `allowed` are texts of console errors that a test causes on purpose. */
export async function open(browser, base, { size = 'desk', language = 'en', theme = 'light', allowed = [] } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const [width, height] = SIZES[size];
  const phone = size === 'phone';
  await page.setViewport({ width, height, isMobile: phone, hasTouch: phone });
  await page.emulateMediaFeatures([
    { name: 'prefers-color-scheme', value: theme },
    { name: 'prefers-reduced-motion', value: 'reduce' },
  ]);
  await page.evaluateOnNewDocument(name => localStorage.setItem('lang', name), language);
  const faults = [];
  const say = text => {
    if (!allowed.some(part => text.includes(part))) faults.push(text);
  };
  page.on('console', message => ['error', 'warn'].includes(message.type()) && say(`console: ${message.text()} ${message.location().url ?? ''}`));
  page.on('pageerror', error => say(`error: ${error.message}`));
  page.on('request', request => {
    if (!request.url().startsWith(`${base}/`) && !request.url().startsWith('data:')) say(`request off the host: ${request.url()}`);
  });
  return { page, faults, close: () => context.close() };
}

/** The view is there: no bone, nothing loading, and its heading says something. */
export async function settled(page) {
  // Bones come only when something takes longer than 200 ms: before that an empty page is not yet a ready one.
  await new Promise(done => setTimeout(done, 350));
  await page.waitForFunction(
    () => document.querySelector('main h1')?.textContent.trim() && document.querySelectorAll('main .bone, main [aria-busy="true"]').length === 0,
    { timeout: 60_000 },
  );
  // A chart comes with its own script, after the data.
  await page.waitForFunction(() => [...document.querySelectorAll('.plot-host')].every(host => host.querySelector('canvas')), { timeout: 60_000 });
  await page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** Waits until `is` is true in the page, and says in how many milliseconds. */
export async function within(page, most, what, is, ...args) {
  const begun = performance.now();
  await page.waitForFunction(is, { timeout: most, polling: 20 }, ...args).catch(() => {
    throw new Error(`${what}: not within ${most} ms`);
  });
  return Math.round(performance.now() - begun);
}

export async function api(base, path, options) {
  const response = await fetch(`${base}/api/v1${path}`, options);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

/** Hands in events; all of them must be accepted. */
export async function post(base, events) {
  const response = await fetch(`${base}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: events.map(event => JSON.stringify(event)).join('\n'),
  });
  const answer = await response.json();
  if (answer.accepted !== events.length) throw new Error(`events were not accepted: ${JSON.stringify(answer).slice(0, 500)}`);
}
