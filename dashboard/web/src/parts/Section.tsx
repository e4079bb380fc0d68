// A section: a heading, what belongs beside it, and one surface.
import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

interface Props {
  title: ComponentChildren;
  note?: ComponentChildren;
  tools?: ComponentChildren;
  id?: string;
  cls?: string;
  children: ComponentChildren;
}

export function Section({ title, note, tools, id, cls = '', children }: Props) {
  const heading = useId();
  return (
    <section class={`section ${cls}`} id={id} aria-labelledby={heading}>
      <div class="section-head">
        <h2 id={heading}>{title}</h2>
        {note !== undefined && note !== null && <span class="note">{note}</span>}
        {tools !== undefined && <div class="section-tools">{tools}</div>}
      </div>
      {children}
    </section>
  );
}

/** The heading of a page, its crumb and its actions. */
export const Head = ({ title, crumb, actions }: { title: ComponentChildren; crumb?: ComponentChildren; actions?: ComponentChildren }) => (
  <div class="head">
    {crumb !== undefined && <p class="crumb">{crumb}</p>}
    <h1>{title}</h1>
    <div class="head-actions">{actions}</div>
  </div>
);

/** Two columns of names and values. */
export const Facts = ({ rows }: { rows: [name: ComponentChildren, value: ComponentChildren][] }) => (
  <dl class="kv">
    {rows.map(([name, value]) => (
      <>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </>
    ))}
  </dl>
);

/** Foreign text: it may run in another direction, so it stands apart; and it is text, whatever it contains. */
export const Foreign = ({ text }: { text: string }) => <bdi>{text}</bdi>;
