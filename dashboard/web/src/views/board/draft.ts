// A dashboard while it is edited: pure changes of a list of cards. Nobody else sees them before they are saved.
import type { Board, Card, CardKind } from '../../api/types';
import { BY_DIMENSION, OF_METRIC } from './cards';

export const empty = (title: string): Board => ({ name: '', title, filters: {}, cards: [] });

/** An id that no card has. */
function freshId(cards: Card[]): string {
  let n = cards.length + 1;
  while (cards.some(card => card.id === `card-${n}`)) n++;
  return `card-${n}`;
}

const SIZES: Record<CardKind, 1 | 2 | 4> = { value: 1, trend: 2, bar: 2, pie: 2, funnel: 2, table: 2, accounts: 2, alerts: 2, goal: 1, text: 2 };

export function added(board: Board, kind: CardKind, metric: string, dimension: string | undefined): Board {
  const card: Card = { id: freshId(board.cards), kind, size: SIZES[kind] };
  if (OF_METRIC.has(kind)) card.metric = metric;
  if (BY_DIMENSION.has(kind) && dimension !== undefined) card.by = dimension;
  if (kind === 'text') card.text = '';
  return { ...board, cards: [...board.cards, card] };
}

/** The card put at a place; the others keep their order. */
export function moved(board: Board, id: string, to: number): Board {
  const from = board.cards.findIndex(card => card.id === id);
  const card = board.cards[from];
  if (card === undefined) return board;
  const rest = board.cards.filter(other => other.id !== id);
  const place = Math.max(0, Math.min(rest.length, to));
  return place === from ? board : { ...board, cards: [...rest.slice(0, place), card, ...rest.slice(place)] };
}

export const removed = (board: Board, id: string): Board => ({ ...board, cards: board.cards.filter(card => card.id !== id) });
export const changed = (board: Board, id: string, change: Partial<Card>): Board => ({
  ...board,
  cards: board.cards.map(card => (card.id === id ? { ...card, ...change } : card)),
});

/** A name for the address, of a title in any script. */
export function nameOf(title: string, taken: ReadonlySet<string>): string {
  const plain = title
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 40);
  const base = plain === '' || plain === 'new' ? 'dashboard' : plain;
  for (let n = 1; ; n++) {
    const name = n === 1 ? base : `${base}-${n}`;
    if (!taken.has(name)) return name;
  }
}
