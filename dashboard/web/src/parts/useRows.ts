// Rows of one height, of which only those in view exist; the page itself scrolls, so phones and the keyboard behave as usual.
// Pages of a list are read as the reader comes to them. The list has one order, so pages are read one after another.
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Failure, get, path } from '../api/client';
import type { Problem } from '../api/types';

const AROUND = 12;
const FIRST = 100;
const PAGE = 1_000;

export interface Rows<Row> {
  rows: Row[];
  /** Null until the first page is there. */
  total: number | null;
  failure: Problem | null;
  reload(): void;
  /** Reads on until this many rows are there. */
  want(count: number): void;
}

/** Reads a list by its cursor, on demand. `pick` finds the rows in an answer. */
export function usePages<Row, Answer extends { next: string | null; total: number }>(
  base: string,
  query: Record<string, string | null | undefined>,
  pick: (answer: Answer) => Row[],
): Rows<Row> {
  const [, draw] = useState(0);
  const [round, setRound] = useState(0);
  const state = useRef<{ rows: Row[]; next: string | null; total: number | null; wanted: number; busy: boolean; failure: Problem | null }>({
    rows: [],
    next: null,
    total: null,
    wanted: 0,
    busy: false,
    failure: null,
  });
  const key = JSON.stringify([base, query]);
  const run = useRef(0);

  const readOn = async (mine: number, isFirst: boolean): Promise<void> => {
    const of = state.current;
    of.busy = true;
    let from: string | null = isFirst ? null : of.next;
    let first = isFirst;
    try {
      do {
        const { data } = await get<Answer>(path(base, { ...query, cursor: from, limit: first ? FIRST : PAGE }));
        if (mine !== run.current) return;
        of.rows = first ? pick(data) : of.rows.concat(pick(data));
        of.total = data.total;
        of.failure = null;
        from = of.next = data.next;
        first = false;
        draw(n => n + 1);
      } while (from !== null && of.rows.length < of.wanted);
    } catch (error) {
      if (mine !== run.current) return;
      of.failure = error instanceof Failure ? error.problem : { title: '', status: 0, detail: '' };
      draw(n => n + 1);
    } finally {
      if (mine === run.current) of.busy = false;
    }
  };

  useEffect(() => {
    const mine = ++run.current;
    state.current.wanted = FIRST;
    void readOn(mine, true);
  }, [key, round]);

  const { rows, total, failure } = state.current;
  return {
    rows,
    total,
    failure,
    reload: () => setRound(n => n + 1),
    want: count => {
      const of = state.current;
      of.wanted = Math.max(of.wanted, count);
      if (!of.busy && of.next !== null && of.rows.length < of.wanted) void readOn(run.current, false);
    },
  };
}

/** Which of `total` rows are in view, from the place of `body` on the screen. */
export function useWindow(total: number): { body: RefObject<HTMLTableSectionElement | null>; from: number; to: number; height: number } {
  const body = useRef<HTMLTableSectionElement>(null);
  const [range, setRange] = useState<[number, number, number]>([0, Math.min(total, 40), 40]);
  useLayoutEffect(() => {
    const look = (): void => {
      const element = body.current;
      if (element === null) return;
      const size = getComputedStyle(document.documentElement);
      const height = Number.parseFloat(size.getPropertyValue('--row')) * Number.parseFloat(size.fontSize);
      const top = element.getBoundingClientRect().top;
      const from = Math.min(Math.max(0, Math.floor(-top / height) - AROUND), Math.max(0, total - 1));
      const to = Math.max(from, Math.min(total, Math.ceil((innerHeight - top) / height) + AROUND));
      setRange(old => (old[0] === from && old[1] === to && old[2] === height ? old : [from, to, height]));
    };
    look();
    addEventListener('scroll', look, { passive: true });
    addEventListener('resize', look);
    return () => {
      removeEventListener('scroll', look);
      removeEventListener('resize', look);
    };
  }, [total]);
  return { body, from: Math.min(range[0], total), to: Math.min(range[1], total), height: range[2] };
}
