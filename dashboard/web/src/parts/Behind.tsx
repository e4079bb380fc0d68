// The table that stands behind a chart: `d` opens it.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { t } from '../i18n';

interface Props {
  /** What the closed table is called; without it, that it is behind the chart. */
  summary?: string;
  caption: string;
  heads: string[];
  rows: () => ComponentChildren[][];
}

export function Behind({ summary, caption, heads, rows }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <details class="behind" open={open} onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>{summary ?? t('chart.behind')}</summary>
      {open && (
        <div class="scroll" tabIndex={0} role="region" aria-label={caption}>
          <table class="table table-tight">
            <caption class="vh">{caption}</caption>
            <thead>
              <tr>
                {heads.map((head, place) => (
                  <th scope="col" class={place > 0 ? 'num' : ''}>
                    {head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows().map(row => (
                <tr>
                  {row.map((cell, place) =>
                    place > 0 ? (
                      <td class="num">{cell}</td>
                    ) : (
                      <th scope="row">{cell}</th>
                    ),
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}
