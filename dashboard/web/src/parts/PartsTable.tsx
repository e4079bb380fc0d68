// The parts of a number as a table whose bars begin at zero: the name, the bar, the value now, and what else a view says of them.
import type { ComponentChildren, VNode } from 'preact';
import type { Part } from '../api/types';
import { named, t } from '../i18n';

export const partName = (key: string) => (key === '' ? <span class="note">{t('breakdown.unknown')}</span> : <bdi>{named(`value.${key}`, key)}</bdi>);

/** A column of figures after the value now. */
export interface Column {
  head: string;
  cls: string;
  cell: (part: Part) => ComponentChildren;
  total: ComponentChildren;
}

interface Props {
  parts: Part[];
  caption: string;
  /** What the parts are called: Plan, Stage. */
  head: string;
  cls?: string;
  barCls: string;
  bar: (part: Part) => VNode;
  now: (part: Part) => ComponentChildren;
  total: ComponentChildren;
  columns: Column[];
}

export const PartsTable = ({ parts, caption, head, cls = '', barCls, bar, now, total, columns }: Props) => (
  <table class={`table ${cls}`}>
    <caption class="vh">{caption}</caption>
    <thead>
      <tr>
        <th scope="col">{head}</th>
        <th scope="col" class={barCls}>
          <span class="vh">{t('breakdown.bar')}</span>
        </th>
        <th scope="col" class="num">
          {t('metrics.now')}
        </th>
        {columns.map(column => (
          <th scope="col" class={`num ${column.cls}`}>
            {column.head}
          </th>
        ))}
      </tr>
    </thead>
    <tbody>
      {parts.map(part => (
        <tr key={part.key}>
          <th scope="row">
            <span class="cell-short" title={part.key.slice(0, 300)}>
              {partName(part.key)}
            </span>
          </th>
          <td class={barCls}>{bar(part)}</td>
          <td class="num">
            <strong>{now(part)}</strong>
          </td>
          {columns.map(column => (
            <td class={`num ${column.cls}`}>{column.cell(part)}</td>
          ))}
        </tr>
      ))}
    </tbody>
    <tfoot>
      <tr>
        <th scope="row">{t('breakdown.all')}</th>
        <td class={barCls} />
        <td class="num">{total}</td>
        {columns.map(column => (
          <td class={`num ${column.cls}`}>{column.total}</td>
        ))}
      </tr>
    </tfoot>
  </table>
);
