// A share of a whole: four parts at most, each with its number beside it.
interface Slice {
  name: string;
  value: number;
  cls: string;
}

const OUTER = 52;
const INNER = 34;
const CENTRE = 60;

const on = (radius: number, angle: number): string =>
  `${(CENTRE + radius * Math.cos(angle)).toFixed(2)} ${(CENTRE + radius * Math.sin(angle)).toFixed(2)}`;

export function Donut({ slices, centre, label }: { slices: Slice[]; centre: string; label: string }) {
  const total = slices.reduce((sum, slice) => sum + slice.value, 0) || 1;
  let from = -Math.PI / 2;
  return (
    <svg class="donut" viewBox="0 0 120 120" role="img" aria-label={label}>
      {slices.map(slice => {
        // A whole circle has no arc: it stops a hair before.
        const to = from + Math.min(0.9999, slice.value / total) * 2 * Math.PI;
        const large = to - from > Math.PI ? 1 : 0;
        const path = `M${on(OUTER, from)}A${OUTER} ${OUTER} 0 ${large} 1 ${on(OUTER, to)}L${on(INNER, to)}A${INNER} ${INNER} 0 ${large} 0 ${on(INNER, from)}Z`;
        from = to;
        return <path d={path} class={slice.cls} />;
      })}
      <text class={centre.length > 5 ? 'donut-text is-small' : 'donut-text'} x={CENTRE} y={CENTRE + 1} text-anchor="middle" dominant-baseline="middle">
        {centre}
      </text>
    </svg>
  );
}
