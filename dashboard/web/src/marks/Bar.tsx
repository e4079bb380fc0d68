// Bars in cells: SVG in per cent, so that no script follows the width. Bars begin at zero.
export interface BarPart {
  from: number;
  to: number;
  cls: string;
  thin?: boolean;
}

const at = (value: number): string => `${Math.max(-2, Math.min(102, value))}%`;

/** `parts` and `ticks` are in per cent of the track. */
export const Bar = ({ parts, ticks = [], track = false, cls = '' }: { parts: BarPart[]; ticks?: number[]; track?: boolean; cls?: string }) => (
  <svg class={`bar ${cls}`} aria-hidden="true">
    {track && <rect class="m-track" x={0} y="15%" width="100%" height="70%" rx={2} />}
    {parts
      .filter(part => part.from !== part.to)
      .map(part => (
        <rect
          class={part.cls}
          x={at(Math.min(part.from, part.to))}
          width={`${Math.min(100, Math.max(0.4, Math.abs(part.to - part.from)))}%`}
          y={part.thin === true ? '32%' : '15%'}
          height={part.thin === true ? '36%' : '70%'}
          rx={1.5}
        />
      ))}
    {ticks.map(tick => (
      <line class="m-tick" x1={at(tick)} x2={at(tick)} y1="0" y2="100%" />
    ))}
  </svg>
);

const EDGES = [0, 40, 70, 100];

/** One row of a waterfall on 0..100: from where the row before ended, to where the next begins. */
export const FallBar = ({ start, end, cls, first = false, last = false }: { start: number; end: number; cls?: string; first?: boolean; last?: boolean }) => (
  <svg class="bar" aria-hidden="true">
    {EDGES.map(edge => (
      <line class={edge === 0 ? 'm-axis' : 'm-grid'} x1={`${edge}%`} x2={`${edge}%`} y1={0} y2="100%" />
    ))}
    {!first && <line class="m-link" x1={at(start)} x2={at(start)} y1={0} y2={cls === undefined ? '100%' : '20%'} />}
    {cls !== undefined && <rect class={cls} x={at(Math.min(start, end))} width={`${Math.abs(end - start)}%`} y="20%" height="60%" rx={1.5} />}
    {cls !== undefined && !last && <line class="m-link" x1={at(end)} x2={at(end)} y1="80%" y2="100%" />}
  </svg>
);

/** Where a score was and is, on 0..100. */
export const Swing = ({ was, now }: { was: number; now: number }) => (
  <svg class="swing" aria-hidden="true">
    <line x1={0} x2="100%" y1={8} y2={8} />
    {[40, 70].map(edge => (
      <line class="m-edge" x1={`${edge}%`} x2={`${edge}%`} y1={3} y2={13} />
    ))}
    <line class="m-was" x1={at(was)} x2={at(now)} y1={8} y2={8} />
    <circle class={`m-bar-${now >= 70 ? 'good' : now >= 40 ? 'warn' : 'bad'}`} cx={at(now)} cy={8} r={4.5} />
  </svg>
);

/** Columns with their number on top. */
export const Columns = ({ columns, label, most }: { columns: { name: string; value: number; text?: string; cls?: string }[]; label: string; most?: number }) => {
  const top = Math.max(most ?? 0, ...columns.map(column => column.value), 1);
  return (
    <div class="cols" role="img" aria-label={label}>
      {columns.map(column => (
        <div class="col">
          <span class="col-n">{column.text ?? String(column.value)}</span>
          <span class={`col-bar ${column.cls ?? 'm-bar'}`} ref={element => element?.style.setProperty('--h', String(column.value / top))} />
          <span class="col-x">{column.name}</span>
        </div>
      ))}
    </div>
  );
};
