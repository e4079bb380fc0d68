// Messages in the reader's language. A message is a whole sentence: `{name}` stands for a value, `{n, plural, one {…} other {…}}`
// chooses by the language's own rules with `#` for the number, `**…**` is strong. Sentences are never joined from pieces.
import { signal } from '@preact/signals';
import { h, type ComponentChildren } from 'preact';
import type en from '../../messages/en.json';
import { stored, store } from '../state/stored';

export type Key = keyof typeof en;
export type Language = 'en' | 'ja' | 'id';
export const LANGUAGES: Record<Language, string> = { en: 'English', ja: '日本語', id: 'Bahasa Indonesia' };

const loaders: Record<Language, () => Promise<{ default: Record<string, string> }>> = {
  en: () => import('../../messages/en.json'),
  ja: () => import('../../messages/ja.json'),
  id: () => import('../../messages/id.json'),
};

export const language = signal<Language>('en');
let messages: Record<string, string> = {};
/** What the built-in metrics and components are called in English; empty in English. */
let builtIn: Record<string, string> = {};

const known = (name: string | null | undefined): Language | null => {
  const short = name?.slice(0, 2).toLowerCase();
  return short === 'en' || short === 'ja' || short === 'id' ? short : null;
};

/** The language of the address, else the chosen one, else the first of the browser's that there is. */
export function preferred(): Language {
  const asked = known(new URLSearchParams(location.search).get('lang')) ?? known(stored('lang'));
  return asked ?? navigator.languages.map(known).find(name => name !== null) ?? 'en';
}

export async function speak(name: Language, keep = false): Promise<void> {
  const titles = name === 'en' ? Promise.resolve({}) : import('../../messages/titles.json').then(of => of.default);
  [messages, builtIn] = await Promise.all([loaders[name]().then(of => of.default), titles]);
  document.documentElement.lang = name;
  if (keep) store('lang', name);
  language.value = name;
}

type Args = Record<string, ComponentChildren>;

/** Where the braces that open at `from` close. */
function closing(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (text[at] === '{') depth++;
    else if (text[at] === '}' && --depth === 0) return at;
  }
  return text.length;
}

const rules = new Map<string, Intl.PluralRules>();
function plural(n: number): string {
  const name = language.peek();
  let rule = rules.get(name);
  if (rule === undefined) rules.set(name, (rule = new Intl.PluralRules(name)));
  return rule.select(n);
}

function chosen(cases: string, n: number): string {
  const forms: Record<string, string> = {};
  let at = 0;
  while (at < cases.length) {
    const open = cases.indexOf('{', at);
    if (open < 0) break;
    const close = closing(cases, open);
    forms[cases.slice(at, open).trim()] = cases.slice(open + 1, close);
    at = close + 1;
  }
  return forms[`=${n}`] ?? forms[plural(n)] ?? forms['other'] ?? '';
}

function pieces(text: string, args: Args, out: ComponentChildren[]): void {
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf('{', at);
    if (open < 0) {
      out.push(text.slice(at));
      return;
    }
    if (open > at) out.push(text.slice(at, open));
    const close = closing(text, open);
    const inside = text.slice(open + 1, close);
    const [name = '', kind] = inside.split(',', 2).map(part => part.trim());
    const value = args[name];
    if (kind === 'plural') {
      const n = Number(value);
      const form = chosen(inside.slice(inside.indexOf(',', inside.indexOf(',') + 1) + 1), n);
      pieces(form.replaceAll('#', n.toLocaleString(language.peek())), args, out);
    } else out.push(typeof value === 'number' ? value.toLocaleString(language.peek()) : value);
    at = close + 1;
  }
}

/** A message as text. */
export function t(key: Key, args: Record<string, string | number> = {}): string {
  const out: ComponentChildren[] = [];
  pieces(messages[key] ?? key, args, out);
  return out.join('').replaceAll('**', '');
}

/** A message with elements in it, and with strong parts. */
export function rich(key: Key, args: Args = {}): ComponentChildren[] {
  return (messages[key] ?? key).split('**').map((part, place) => {
    const out: ComponentChildren[] = [];
    pieces(part, args, out);
    return place % 2 === 1 ? h('strong', null, out) : out;
  });
}

/** A message that not every language has, such as the name of a metric: else what the server says. */
export function named(key: string, otherwise: string): string {
  return messages[key] ?? otherwise;
}

/** The title of what the catalog defines: in the reader's language if it is the built-in one; a title of one's own stays. */
export function titled(key: string, builtInKey: string, title: string | undefined): string {
  const english = builtIn[builtInKey];
  if (title !== undefined && title !== english) return title;
  return messages[key] ?? title ?? english ?? builtInKey;
}

/** Elements as a list of the language: "a, b and c". */
export function listed(items: ComponentChildren[]): ComponentChildren[] {
  const parts = new Intl.ListFormat(language.peek(), { type: 'conjunction' }).formatToParts(items.map((_, place) => String(place)));
  return parts.map(part => (part.type === 'element' ? items[Number(part.value)] : part.value));
}
