// A sparkline: the course of a value, its usual range, its goal, where it stands. A gap in the values is a gap in the line.
import type { Usual } from '../api/types';

const WIDTH = 200;
const HEIGHT = 36;
const PAD = 3;

interface Props {
  values: (number | null)[];
  usual: Usual | null;
  goal: number | null;
  tone: '' | 'is-good' | 'is-bad';
}

/** Runs of values without a gap, as points of polylines. */
function runs(values: (number | null)[], from: number, to: number, at: (place: number, value: number) => string): string[] {
  const out: string[][] = [[]];
  for (let place = from; place <= to; place++) {
    const value = values[place];
    if (value === null || value === undefined) out.push([]);
    else out.at(-1)?.push(at(place, value));
  }
  return out.filter(points => points.length > 0).map(points => points.join(' '));
}

export function Spark({ values, usual, goal, tone }: Props) {
  const there = values.filter((value): value is number => value !== null);
  const last = values.length - 1;
  const end = values[last] ?? null;
  if (there.length < 2) return <span class="spark-box" />;
  const all = [...there, ...(usual === null ? [] : [usual.low, usual.high]), ...(goal === null ? [] : [goal])];
  const low = Math.min(...all);
  const range = Math.max(...all) - low || 1;
  const x = (place: number): number => (place / Math.max(1, last)) * (WIDTH - 6);
  const y = (value: number): number => HEIGHT - PAD - ((value - low) / range) * (HEIGHT - 2 * PAD);
  const point = (place: number, value: number): string => `${x(place).toFixed(1)},${y(value).toFixed(1)}`;

  // The last stretch outside the range is what the colour is about.
  let cut = last;
  if (tone !== '' && usual !== null)
    while (cut > 0) {
      const value = values[cut - 1];
      if (value === null || value === undefined || (value >= usual.low && value <= usual.high)) break;
      cut--;
    }
  const calm = tone === '' ? last : cut;

  return (
    <span class="spark-box">
      <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        {usual !== null && (
          <rect class="m-usual" x={0} width={WIDTH} y={y(usual.high)} height={Math.max(1, y(usual.low) - y(usual.high))} />
        )}
        {goal !== null && <line class="m-goal" x1={0} x2={WIDTH} y1={y(goal)} y2={y(goal)} />}
        {runs(values, 0, calm, point).map(points => (
          <polyline class="m-line" points={points} />
        ))}
        {tone !== '' && runs(values, Math.max(0, cut - 1), last, point).map(points => <polyline class={`m-line ${tone}`} points={points} />)}
      </svg>
      {end !== null && (
        // The dot stays round while the line is stretched: it is a drawing of its own, placed in per cent.
        <svg class="spark-dot" aria-hidden="true">
          <circle class={`m-dot ${tone}`} cx={`${(x(last) / WIDTH) * 100}%`} cy={`${(y(end) / HEIGHT) * 100}%`} r={3} />
        </svg>
      )}
    </span>
  );
}
