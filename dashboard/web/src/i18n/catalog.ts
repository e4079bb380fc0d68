// Descriptions of the built-in metrics in the reader's language. Each is for one English text, named by its print: where a catalog
// says something else of a metric, that is shown as it is. Loaded with the first view that shows descriptions.
import { effect, signal } from '@preact/signals';
import { language } from '.';

type Words = Record<string, { of: string; text: string }>;

const words = signal<Words>({});
const loaders: Record<string, () => Promise<{ default: Words }>> = {
  ja: () => import('../../messages/catalog.ja.json'),
  id: () => import('../../messages/catalog.id.json'),
};

effect(() => {
  const name = language.value;
  const load = loaders[name];
  if (load === undefined) words.value = {};
  else
    void load().then(({ default: loaded }) => {
      if (language.peek() === name) words.value = loaded;
    });
});

/** FNV-1a, 32 bits. */
export function print(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, '0');
}

/** The description of a metric, and whether it is English, as the catalog has it. */
export function described(name: string, english: string): { text: string; lang: string | undefined } {
  const found = words.value[name];
  return found !== undefined && found.of === print(english) ? { text: found.text, lang: undefined } : { text: english, lang: 'en' };
}
