// The one stream of this tab: what each view listens to, when the last frame came, and what to say while there is none.
// A lost stream never looks live: `phase` says so, and values are shown with the time of the last frame.
import { computed, effect, signal } from '@preact/signals';
import { API, path } from '../api/client';
import { filters } from './filters';
import { site } from './site';

export type Phase = 'connecting' | 'live' | 'lost';
export interface Frame {
  topic: string;
  data: unknown;
  isSnapshot: boolean;
}
type Handler = (frame: Frame) => void;

/** Behind by more than this, values are shown as late. */
const STALE_SECONDS = 60;
const RETRY_MS = [1_000, 2_000, 4_000, 8_000];
/** The comments that keep the line open are not seen by a page: after such a silence it asks anew, and an error follows if nobody answers. */
const SILENCE_MS = 30_000;

export const phase = signal<Phase>('connecting');
export const clock = signal<string | null>(null);
export const lagSeconds = signal<number | null>(null);
/** When the last frame came, of this computer's clock. */
export const heardAt = signal<number | null>(null);
export const lostAt = signal<number | null>(null);
export const retryAt = signal<number | null>(null);
export const isStale = computed(() => phase.value === 'live' && (lagSeconds.value ?? 0) > STALE_SECONDS);
/** Values are not of now: mark them with the time of the last frame. */
export const isOld = computed(() => phase.value === 'lost' || isStale.value);

const topics = signal<ReadonlyMap<string, ReadonlySet<Handler>>>(new Map());
const wanted = computed(() => [...topics.value.keys()].sort().join(','));
const round = signal(0);
let failures = 0;

/** Listens to a topic until the returned function is called. */
export function listenTo(topic: string, handler: Handler): () => void {
  const change = (edit: (handlers: Set<Handler>) => void): void => {
    const next = new Map(topics.peek());
    const handlers = new Set(next.get(topic));
    edit(handlers);
    if (handlers.size > 0) next.set(topic, handlers);
    else next.delete(topic);
    topics.value = next;
  };
  change(handlers => handlers.add(handler));
  return () => change(handlers => handlers.delete(handler));
}

/** Connects now, whatever the time of the next try. */
export function reconnect(): void {
  round.value++;
}

function heard(message: { clock?: unknown; lag_seconds?: unknown }): void {
  heardAt.value = Date.now();
  phase.value = 'live';
  retryAt.value = null;
  failures = 0;
  if (typeof message.clock === 'string') clock.value = message.clock;
  if (typeof message.lag_seconds === 'number') lagSeconds.value = message.lag_seconds;
}

function deliver(event: MessageEvent<string>, isSnapshot: boolean): void {
  const message = JSON.parse(event.data) as { topic: string; data: { clock?: unknown; lag_seconds?: unknown } };
  heard(message.data);
  for (const handler of topics.peek().get(message.topic) ?? []) handler({ topic: message.topic, data: message.data, isSnapshot });
}

function lose(): void {
  if (phase.peek() !== 'lost') lostAt.value = Date.now();
  // What is shown came with the page.
  heardAt.value ??= Date.now();
  phase.value = 'lost';
}

/** Keeps the stream open from now on. */
export function keepStream(): void {
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const retry = (): void => {
    source?.close();
    const wait = RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)] ?? 8_000;
    retryAt.value = Date.now() + wait;
    clearTimeout(timer);
    timer = setTimeout(reconnect, wait);
  };
  const open = (url: string): void => {
    source?.close();
    clearTimeout(timer);
    const mine = new EventSource(url);
    source = mine;
    mine.addEventListener('snapshot', event => deliver(event as MessageEvent<string>, true));
    mine.addEventListener('delta', event => deliver(event as MessageEvent<string>, false));
    mine.addEventListener('clock', event => heard(JSON.parse((event as MessageEvent<string>).data) as object));
    mine.addEventListener('error', () => {
      if (mine !== source) return;
      lose();
      retry();
    });
  };

  effect(() => {
    round.value;
    if (wanted.value === '') return undefined;
    const url = API + path('/stream', { topics: wanted.value, ...filters.value });
    // Views come and go in one turn; the stream follows once.
    const soon = setTimeout(() => open(url), 30);
    return () => clearTimeout(soon);
  });
  effect(() => {
    if (site.value !== null && clock.peek() === null) clock.value = site.value.clock;
  });
  setInterval(() => {
    if (phase.peek() === 'live' && heardAt.peek() !== null && Date.now() - (heardAt.peek() ?? 0) > SILENCE_MS) reconnect();
  }, 5_000);
  addEventListener('online', reconnect);
  addEventListener('pagehide', () => source?.close());
}

/** The present of the data, in milliseconds: ages are told from it, not from this computer's clock. */
export const now = (): number => {
  const at = clock.value === null ? Number.NaN : Date.parse(clock.value);
  return Number.isFinite(at) ? at : Date.now();
};
