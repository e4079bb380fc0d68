// Every language says everything: the keys of `en` are in each file with the same values in braces, and each key that the source
// names is there. Names of metrics (`name.*`) are only in the other languages: the catalog has them in English.
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
// Keys with a computed end are used by their beginning.
const beginnings = [...source.matchAll(/`([a-z][\w.-]*\.)\$\{/g)].map(match => match[1]);
for (const key of Object.keys(english))
  if (!source.includes(`'${key}'`) && !beginnings.some(begin => key.startsWith(begin))) say(`en.json: nothing says ${key}`);
if (faults > 0) process.exit(1);
console.log(`${Object.keys(english).length} messages in three languages`);
