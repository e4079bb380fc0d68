// Draws a chart by uPlot. Bands, goal, marks, lane and names at the ends of lines are drawn by hooks around its lines.
// A canvas wants resolved colours: tokens are read through a probe element, anew for each drawing.
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Line, LineName, Spec } from './spec';

export interface Plot {
  point(place: number | null): void;
  fit(): void;
  destroy(): void;
}

const WIDE = 420;
const LANE = 26;
const AXIS = 26;
const ENDS = 116;
const TOKENS: Record<LineName, string> = {
  trend: '--blue-fill',
  compare: '--compare',
  first: '--ink-2',
  noise: '--noise',
  'cat-1': '--cat-1',
  'cat-2': '--cat-2',
  'cat-3': '--cat-3',
  'cat-4': '--cat-4',
  other: '--cat-other',
};

/** A token as a canvas understands it. */
function colours(host: HTMLElement): (token: string) => string {
  const probe = document.createElement('span');
  host.append(probe);
  const known = new Map<string, string>();
  return token => {
    let value = known.get(token);
    if (value === undefined) {
      if (!probe.isConnected) host.append(probe);
      probe.style.setProperty('color', `var(${token})`);
      value = getComputedStyle(probe).color;
      known.set(token, value);
      probe.remove();
    }
    return value;
  };
}

const stepped = uPlot.paths.stepped?.({ align: 1 });

function series(line: Line, from: number, to: number, colour: string, dash: number[]): [uPlot.Series, (number | null)[]] {
  const values = line.values.map((value, place) => (place >= from && place <= to ? value : null));
  const thin = line.look === 'compare' ? 1.5 : line.look === 'first' ? 1.2 : 2;
  if (line.isPoints === true)
    return [{ scale: 'y', stroke: colour, width: 0, paths: () => null, points: { show: true, size: 4.4, fill: colour, stroke: colour, width: 0 } }, values];
  return [
    {
      scale: 'y',
      stroke: colour,
      width: thin,
      dash,
      points: { show: false },
      spanGaps: false,
      ...(line.isStep === true && stepped !== undefined ? { paths: stepped } : {}),
    },
    values,
  ];
}

function range(spec: Spec): [number, number] {
  const all = spec.lines.filter(line => line.isPoints !== true).flatMap(line => line.values.filter((value): value is number => value !== null));
  if (spec.usual !== undefined) all.push(spec.usual.low, spec.usual.high);
  if (spec.goal !== undefined) all.push(spec.goal.value);
  // Limits of what cannot be negative may be: the axis is not.
  const isPositive = spec.lines.every(line => line.values.every(value => value === null || value >= 0));
  let low = spec.min ?? (all.length === 0 ? 0 : Math.min(...all));
  let high = spec.max ?? (all.length === 0 ? 1 : Math.max(...all));
  const margin = (high - low || Math.abs(high) || 1) * 0.06;
  if (spec.min === undefined) low = isPositive ? Math.max(0, low - margin) : low - margin;
  if (spec.max === undefined) high += margin;
  return [low, high > low ? high : low + 1];
}

/** Names at the ends of lines, pushed apart. */
function ends(spec: Spec, u: uPlot, colour: (token: string) => string): { y: number; text: string; colour: string }[] {
  const labels: { y: number; text: string; colour: string }[] = [];
  const y = (value: number): number => Math.max(0, Math.min(u.bbox.height / devicePixelRatio, u.valToPos(value, 'y')));
  for (const line of spec.lines) {
    const value = line.values.findLast(found => found !== null);
    if (line.name === undefined || value === undefined || value === null) continue;
    labels.push({ y: y(value), text: line.name, colour: colour(line.look === 'trend' ? '--blue' : line.look.startsWith('cat') ? '--ink-2' : '--ink-3') });
  }
  if (spec.goal !== undefined) labels.push({ y: y(spec.goal.value), text: spec.goal.label, colour: colour('--ink-2') });
  if (spec.usual !== undefined) labels.push({ y: y((spec.usual.low * 3 + spec.usual.high) / 4), text: spec.usual.label, colour: colour('--ink-3') });
  for (const zone of spec.zones ?? []) labels.push({ y: y((zone.low + zone.high) / 2), text: zone.label, colour: colour(`--${zone.tone}`) });
  labels.sort((a, b) => a.y - b.y);
  for (let place = 1; place < labels.length; place++) {
    const [above, label] = [labels[place - 1], labels[place]];
    if (above !== undefined && label !== undefined) label.y = Math.max(label.y, above.y + 15);
  }
  return labels;
}

export function draw(host: HTMLElement, spec: Spec, onPoint: (place: number | null) => void): Plot {
  host.replaceChildren();
  const colour = colours(host);
  const [low, high] = range(spec);
  const last = spec.x.length - 1;
  const font = `11px ${getComputedStyle(host).fontFamily}`;
  const hasLane = spec.lane !== undefined;
  const isWide = (): boolean => host.clientWidth > WIDE;
  const hasEnds = spec.goal !== undefined || spec.usual !== undefined || spec.zones !== undefined || spec.lines.some(line => line.name !== undefined);

  const data: (number | null)[][] = [spec.x.map(at => at / 1000)];
  const lines: uPlot.Series[] = [{}];
  const add = ([of, values]: [uPlot.Series, (number | null)[]]): void => {
    lines.push(of);
    data.push(values);
  };
  for (const line of spec.lines) {
    const cut = line.dashedFrom ?? last;
    const tint = colour(TOKENS[line.look]);
    add(series(line, 0, cut, tint, line.look === 'first' ? [1.5, 3] : []));
    if (cut < last) add(series(line, cut, last, tint, [3, 4]));
  }

  const under = (u: uPlot): void => {
    const { ctx, bbox } = u;
    ctx.save();
    const band = (from: number, to: number, fill: string, alpha: number): void => {
      const top = u.valToPos(Math.min(to, high), 'y', true);
      ctx.globalAlpha = alpha;
      ctx.fillStyle = fill;
      ctx.fillRect(bbox.left, top, bbox.width, u.valToPos(Math.max(from, low), 'y', true) - top);
    };
    for (const zone of spec.zones ?? []) band(zone.low, zone.high, colour(`--${zone.tone}-soft`), 0.45);
    if (spec.usual !== undefined) band(spec.usual.low, spec.usual.high, colour('--usual'), 1);
    if (spec.chosen !== undefined) {
      const [from, to] = [spec.chosen.from, spec.chosen.to].map(at => Math.max(bbox.left, Math.min(bbox.left + bbox.width, u.valToPos(at / 1000, 'x', true))));
      ctx.globalAlpha = 0.7;
      ctx.fillStyle = colour('--selected');
      ctx.fillRect(from ?? 0, bbox.top, Math.max(2 * devicePixelRatio, (to ?? 0) - (from ?? 0)), bbox.height);
    }
    ctx.restore();
  };
  const over = (u: uPlot): void => {
    const { ctx, bbox } = u;
    const k = devicePixelRatio;
    const rule = (x1: number, y1: number, x2: number, y2: number, tint: string, dash: number[]): void => {
      ctx.strokeStyle = tint;
      ctx.lineWidth = k;
      ctx.setLineDash(dash.map(length => length * k));
      ctx.beginPath();
      ctx.moveTo(x1, y1);
      ctx.lineTo(x2, y2);
      ctx.stroke();
    };
    const dot = (x: number, y: number, radius: number, fill: string, edge: string, width: number): void => {
      ctx.setLineDash([]);
      ctx.beginPath();
      ctx.arc(x, y, radius * k, 0, 2 * Math.PI);
      ctx.fillStyle = fill;
      ctx.fill();
      ctx.strokeStyle = edge;
      ctx.lineWidth = width * k;
      ctx.stroke();
    };
    const x = (at: number): number => u.valToPos(at / 1000, 'x', true);
    ctx.save();
    if (spec.goal !== undefined) {
      const y = u.valToPos(spec.goal.value, 'y', true);
      rule(bbox.left, y, bbox.left + bbox.width, y, colour('--ink-2'), [2, 3]);
    }
    if (spec.now !== undefined) rule(x(spec.now), bbox.top, x(spec.now), bbox.top + bbox.height, colour('--axis'), [2, 3]);
    for (const mark of spec.marks ?? [])
      dot(x(spec.x[mark.place] ?? 0), u.valToPos(mark.value, 'y', true), 4, colour('--surface'), colour('--blue-fill'), 2);
    if (spec.end !== undefined)
      dot(x(spec.x[spec.end.place] ?? 0), u.valToPos(spec.end.value, 'y', true), 4, colour('--blue-fill'), colour('--surface'), 1.5);
    ctx.textBaseline = 'middle';
    ctx.textAlign = 'left';
    if (spec.lane !== undefined) {
      const y = bbox.top + bbox.height + (AXIS + LANE / 2) * k;
      rule(bbox.left, y, bbox.left + bbox.width, y, colour('--grid'), []);
      for (const of of spec.lane) {
        const hollow = of.tone === 'hollow';
        const fill = hollow ? colour('--surface') : colour(of.tone === 'plain' ? '--ink-3' : `--${of.tone}-fill`);
        dot(x(of.at), y, 4, fill, colour(hollow ? '--blue-fill' : '--surface'), hollow ? 2 : 1.5);
      }
      if (isWide() && spec.laneLabel !== undefined) {
        ctx.font = font.replace('11px', `${11 * k}px`);
        ctx.fillStyle = colour('--ink-3');
        ctx.fillText(spec.laneLabel, bbox.left + bbox.width + 10 * k, y);
      }
    }
    if (isWide()) {
      ctx.font = font.replace('11px', `${12 * k}px`);
      for (const label of ends(spec, u, colour)) {
        ctx.fillStyle = label.colour;
        ctx.fillText(label.text, bbox.left + bbox.width + 10 * k, bbox.top + label.y * k);
      }
    }
    ctx.restore();
  };

  const zoned = (ts: number): Date => uPlot.tzDate(new Date(ts * 1000), spec.zone);
  const longest = Math.max(...(spec.ticks ?? [low, high, (low + high) / 2]).map(value => spec.tick(value).length));
  const size = (): { width: number; height: number } => ({ width: Math.max(240, host.clientWidth), height: spec.height });
  const right = (): number => (isWide() && hasEnds ? ENDS : 10);

  /** A range was drawn: the click that ends it chooses nothing more. */
  let isDrawn = false;
  const u = new uPlot(
    {
      ...size(),
      pxAlign: 1,
      legend: { show: false },
      select: { show: spec.onChoose !== undefined, left: 0, top: 0, width: 0, height: 0 },
      padding: [10, () => right(), hasLane ? LANE : 0, 0],
      tzDate: zoned,
      cursor: { drag: { x: spec.onChoose !== undefined, y: false, setScale: false }, y: false, points: { size: 7 } },
      scales: { x: { time: true }, y: { auto: false, range: [low, high] } },
      series: lines,
      axes: [
        {
          stroke: colour('--ink-3'),
          font,
          size: AXIS,
          gap: 4,
          space: 56,
          grid: { show: false },
          border: { show: true, stroke: colour('--axis'), width: 1 },
          ticks: { show: true, stroke: colour('--axis'), size: 4, width: 1 },
          values: (_, splits, __, ___, step) => {
            let year = '';
            return splits.map(at => {
              if (step >= 28 * 86_400) {
                const local = zoned(at);
                const name = spec.month(at * 1000);
                const of = String(local.getFullYear());
                const isNew = local.getMonth() === 0 && year !== of;
                year = of;
                return isNew ? `${name} ${of}` : name;
              }
              return spec.date(at * 1000, false);
            });
          },
        },
        {
          stroke: colour('--ink-3'),
          font,
          size: Math.max(30, longest * 6.4 + 12),
          gap: 6,
          space: 44,
          grid: { show: true, stroke: colour('--grid'), width: 1 },
          ticks: { show: false },
          ...(spec.ticks === undefined ? {} : { splits: () => spec.ticks ?? [] }),
          ...(spec.steps === undefined ? {} : { incrs: spec.steps }),
          values: (_, splits) => splits.map(value => spec.tick(value)),
        },
      ],
      hooks: {
        drawClear: [under],
        draw: [over],
        setSelect: [
          self => {
            const { left, width } = self.select;
            if (width <= 0) return;
            self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            isDrawn = true;
            spec.onChoose?.(self.posToIdx(left), self.posToIdx(left + width));
          },
        ],
        setCursor: [self => onPoint(self.cursor.left !== undefined && self.cursor.left >= 0 ? (self.cursor.idx ?? null) : null)],
      },
    },
    data as uPlot.AlignedData,
    host,
  );

  u.over.addEventListener('click', () => {
    const place = u.cursor.idx;
    if (!isDrawn && place !== null && place !== undefined) spec.onChoose?.(place, place);
    isDrawn = false;
  });
  let width = host.clientWidth;
  return {
    point: place => {
      if (place === null) u.setCursor({ left: -10, top: -10 }, false);
      else u.setCursor({ left: u.valToPos((spec.x[place] ?? 0) / 1000, 'x'), top: 10 }, false);
    },
    fit: () => {
      if (Math.abs(host.clientWidth - width) < 2) return;
      width = host.clientWidth;
      u.setSize(size());
    },
    destroy: () => u.destroy(),
  };
}
