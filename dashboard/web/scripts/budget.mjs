// What the first view costs, gzipped: its scripts with one language, and its styles. Fails over budget.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';

const SCRIPTS_MOST = 60 * 1024;
const STYLES_MOST = 14 * 1024;
const dist = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'dist');
const size = name => gzipSync(readFileSync(path.join(dist, name)), { level: 9 }).length;
const html = readFileSync(path.join(dist, 'index.html'), 'utf8');
const named = ending => [...html.matchAll(/(?:src|href)="\/([^"]+)"/g)].map(match => match[1]).filter(name => name.endsWith(ending));
const assets = readdirSync(path.join(dist, 'assets'));
const languages = assets.filter(name => /^(en|ja|id)-/.test(name));
const titles = assets.filter(name => name.startsWith('titles-'));
const sizes = names => names.map(name => size(`assets/${name}`));
// Another language than English brings the built-in titles along.
const language = Math.max(...sizes(languages)) + sizes(titles).reduce((a, b) => a + b, 0);

const scripts = named('.js').reduce((sum, name) => sum + size(name), 0) + language;
const styles = named('.css').reduce((sum, name) => sum + size(name), 0);
const kb = bytes => `${(bytes / 1024).toFixed(1)} KB`;
for (const name of assets) console.log(`  ${kb(size(`assets/${name}`)).padStart(8)}  ${name}`);
console.log(`first view: scripts ${kb(scripts)} of ${kb(SCRIPTS_MOST)}, styles ${kb(styles)} of ${kb(STYLES_MOST)} (gzip)`);
if (/<script>|<style|\son\w+=|\sstyle=/.test(html)) {
  console.error('index.html has an inline script or style');
  process.exit(1);
}
if (scripts > SCRIPTS_MOST || styles > STYLES_MOST) {
  console.error('over budget');
  process.exit(1);
}
