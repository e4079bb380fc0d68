// The browser tests: node tests/run.mjs URL [name …]. They need a server with a demo company, and change its data.
// Whoever starts the server may restart it: this prints `stop` or `start` on a line of its own and waits for a line of answer.
// Without `--server` on the command line that test is left out, and says so.
import { createInterface } from 'node:readline';
import { aDeadLetterIsReplayed, anAlertIsDealtWith } from './acts.mjs';
import { launch } from './browser.mjs';
import { aDashboardByKeyboard } from './board.mjs';
import { dealsThatHaveStopped } from './deals.mjs';
import { hostileTextIsText } from './hostile.mjs';
import { theKeyboardReachesEverything } from './keys.mjs';
import { anEventIsOnTheScreen, theOverviewIsLive, theStreamSurvives } from './live.mjs';
import { looks } from './looks.mjs';
import { manyAccounts } from './many.mjs';
import { aChangeIsExplained } from './moved.mjs';
import { aDashboardByPointer } from './pointer.mjs';
import { wordsOfTheCatalog } from './words.mjs';

const args = process.argv.slice(2);
const base = (args.find(arg => arg.startsWith('http')) ?? '').replace(/\/$/, '');
const hasServer = args.includes('--server');
const only = args.filter(arg => !arg.startsWith('http') && !arg.startsWith('--'));
if (base === '') {
  console.error('run.mjs needs the address of a server: node tests/run.mjs http://127.0.0.1:8080');
  process.exit(2);
}

const lines = hasServer ? createInterface({ input: process.stdin })[Symbol.asyncIterator]() : null;
const server = async what => {
  process.stdout.write(`${what}\n`);
  await lines.next();
};

const browser = await launch();
const tests = {
  event: () => anEventIsOnTheScreen(browser, base),
  overview: () => theOverviewIsLive(browser, base),
  board: () => aDashboardByKeyboard(browser, base),
  pointer: () => aDashboardByPointer(browser, base),
  alert: () => anAlertIsDealtWith(browser, base),
  letter: () => aDeadLetterIsReplayed(browser, base),
  moved: () => aChangeIsExplained(browser, base),
  words: () => wordsOfTheCatalog(browser, base),
  deals: () => dealsThatHaveStopped(browser, base),
  keys: () => theKeyboardReachesEverything(browser, base),
  looks: async () => {
    const { looked, faults } = await looks(browser, base);
    if (faults.length > 0) throw new Error(`${faults.length} faults\n${faults.slice(0, 60).join('\n')}`);
    return `${looked} pictures, no fault`;
  },
  hostile: () => hostileTextIsText(browser, base),
  many: () => manyAccounts(browser, base),
  restart: hasServer ? () => theStreamSurvives(browser, base, server) : async () => 'left out: nobody here restarts the server (--server)',
};
/** Tests that need another server than the others run only when they are named. */
const apart = ['many'];
let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  if (only.length > 0 ? !only.includes(name) : apart.includes(name)) continue;
  const begun = performance.now();
  try {
    const said = await test();
    console.error(`ok ${name}: ${said} (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed++;
    console.error(`FAILED ${name}: ${error.message}`);
  }
}
await browser.close();
process.exit(failed > 0 ? 1 : 0);
