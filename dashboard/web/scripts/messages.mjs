// Every language says everything: the keys of `en` are in each file with the same values in braces, and each key that the source
// names is there. Names of metrics (`name.*`) are only in the other languages: the catalog has them in English, and `titles.json`
// says which English title is the built-in one. Descriptions (`catalog.*.json`) are of all metrics that have a title.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const read = name => JSON.parse(readFileSync(path.join(root, 'messages', `${name}.json`), 'utf8'));
const files = dir => readdirSync(dir, { withFileTypes: true }).flatMap(of => (of.isDirectory() ? files(path.join(dir, of.name)) : [path.join(dir, of.name)]));
const source = files(path.join(root, 'src')).map(file => readFileSync(file, 'utf8')).join('\n');
const arguments_ = text => [...new Set([...text.matchAll(/\{(\w+)[},]/g)].map(match => match[1]))].sort().join(' ');

const english = read('en');
let faults = 0;
const say = text => {
  faults++;
  console.error(text);
};
for (const name of ['ja', 'id']) {
  const other = read(name);
  for (const [key, text] of Object.entries(english)) {
    if (other[key] === undefined) say(`${name}.json lacks ${key}`);
    else if (arguments_(other[key]) !== arguments_(text)) {
      // A plural may be told without its cases; a value that the English text shows must be shown.
      const missing = arguments_(text).split(' ').filter(value => !arguments_(other[key]).split(' ').includes(value));
      if (missing.length > 0) say(`${name}.json: ${key} does not say {${missing.join('}, {')}}`);
    }
  }
  for (const key of Object.keys(other)) if (english[key] === undefined && !key.startsWith('name.')) say(`${name}.json has ${key}, en.json has not`);
}
const catalog = readFileSync(path.join(root, '../../deploy/catalogs/crm.yaml'), 'utf8');
const titles = read('titles');
const inCatalog = new Map([...catalog.matchAll(/^  - name: (\w+)\n    title: "?(.+?)"?$/gm)].map(match => [match[1], match[2]]));
if (inCatalog.size === 0) say('no metric is found in deploy/catalogs/crm.yaml');
for (const [name, title] of inCatalog) if (titles[name] !== title) say(`titles.json: ${name} is ${titles[name]}, the built-in catalog says ${title}`);
for (const [name, title] of Object.entries(titles)) {
  if (name.startsWith('component.')) {
    if (english[name] !== title) say(`titles.json: ${name} is ${title}, en.json says ${english[name]}`);
    continue;
  }
  if (!inCatalog.has(name)) say(`titles.json: the built-in catalog has no ${name}`);
  for (const language of ['ja', 'id']) {
    if (read(language)[`name.${name}`] === undefined) say(`${language}.json lacks name.${name}`);
    if (read(`catalog.${language}`)[name] === undefined) say(`catalog.${language}.json lacks ${name}`);
  }
}
// Keys with a computed end are used by their beginning.
const beginnings = [...source.matchAll(/`([a-z][\w.-]*\.)\$\{/g)].map(match => match[1]);
for (const key of Object.keys(english))
  if (!source.includes(`'${key}'`) && !beginnings.some(begin => key.startsWith(begin))) say(`en.json: nothing says ${key}`);
if (faults > 0) process.exit(1);
console.log(`${Object.keys(english).length} messages in three languages`);
