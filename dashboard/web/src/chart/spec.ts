// What a chart of time says, without how it is drawn. Colours are names of lines; the drawing finds their tokens.
import type { ComponentChildren } from 'preact';

export type LineName = 'trend' | 'compare' | 'first' | 'noise' | 'cat-1' | 'cat-2' | 'cat-3' | 'cat-4' | 'other';

export interface Line {
  values: (number | null)[];
  look: LineName;
  /** Stands at the end of the line where there is room. */
  name?: string;
  isStep?: boolean;
  isPoints?: boolean;
  /** From this place on it is dashed: an open window, or a future. */
  dashedFrom?: number;
  /** Not shown by the cursor. */
  isQuiet?: boolean;
}

export interface Spec {
  /** The chart in a sentence, for those who hear it. */
  label: string;
  /** Instants in milliseconds, ascending. */
  x: number[];
  height: number;
  min?: number;
  max?: number;
  ticks?: number[];
  /** Steps between ticks, where tens are odd: minutes, hours, days. */
  steps?: number[];
  tick: (value: number) => string;
  date: (at: number, withYear: boolean) => string;
  month: (at: number) => string;
  zone: string;
  zones?: { low: number; high: number; tone: 'good' | 'warn' | 'bad'; label: string }[];
  usual?: { low: number; high: number; label: string };
  goal?: { value: number; label: string };
  lines: Line[];
  /** Corrected values: hollow marks. */
  marks?: { place: number; value: number }[];
  end?: { place: number; value: number };
  lane?: { at: number; tone: 'good' | 'bad' | 'plain' | 'hollow' }[];
  laneLabel?: string;
  now?: number;
  /** Instants between which the reader looks closer. */
  chosen?: { from: number; to: number };
  /** The reader drew over these places, or chose one. */
  onChoose?: (from: number, to: number) => void;
  /** What the cursor reads at a place. */
  read: (place: number) => ComponentChildren;
  rest: () => ComponentChildren;
}
