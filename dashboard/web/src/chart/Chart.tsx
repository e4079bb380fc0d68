// A chart of time: a readout above, the drawing (uPlot, loaded with the first chart), arrows to read it. The table is behind it.
import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { painted } from '../state/theme';
import type { Plot } from './plot';
import type { Spec } from './spec';

const FAR = 30;

export function Chart({ spec }: { spec: Spec }) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const [at, setAt] = useState<number | null>(null);
  const [spoken, setSpoken] = useState(false);
  const last = spec.x.length - 1;
  const theme = painted.value;

  useEffect(() => {
    let isGone = false;
    const element = host.current;
    if (element === null) return undefined;
    let observer: ResizeObserver | undefined;
    void import('./plot').then(({ draw }) => {
      if (isGone) return;
      plot.current = draw(element, spec, setAt);
      observer = new ResizeObserver(() => plot.current?.fit());
      observer.observe(element);
    });
    return () => {
      isGone = true;
      observer?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [spec, theme]);

  const read = (place: number | null): void => {
    setAt(place);
    plot.current?.point(place);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -FAR, PageDown: FAR, Home: -last, End: last }[event.key];
    if (by !== undefined) {
      event.preventDefault();
      setSpoken(true);
      // The first key reads the newest value.
      read(at === null ? last : Math.max(0, Math.min(last, at + by)));
    } else if (event.key === 'Enter' && at !== null && spec.onChoose !== undefined) {
      event.preventDefault();
      spec.onChoose(at, at);
    } else if (event.key === 'Escape') read(null);
  };
  const shown = at !== null && at <= last ? at : null;

  return (
    <figure class="chart">
      <output class="readout" aria-live={spoken ? 'polite' : 'off'}>
        {shown === null ? spec.rest() : spec.read(shown)}
      </output>
      <div
        class="plot-area"
        tabIndex={0}
        role="group"
        aria-label={t('chart.keys', { label: spec.label })}
        onKeyDown={onKeyDown}
        onBlur={() => read(null)}
        ref={element => element?.style.setProperty('--plot-h', `${spec.height}px`)}
      >
        <div class="plot-host" role="img" aria-label={spec.label} ref={host} />
      </div>
    </figure>
  );
}
