// Editing a dashboard: the same page, its cards dashed; they are moved by pointer or by arrows, by the same few changes.
import { useRef, useState } from 'preact/hooks';
import type { Board, Card, CardKind } from '../../api/types';
import { dimensionTitle, metricTitle, windowTitle } from '../../format/words';
import { t } from '../../i18n';
import { Icon } from '../../marks/icons';
import { Button, Pick } from '../../parts/Button';
import { catalog } from '../../state/site';
import { BY_DIMENSION, CardBody, KINDS, OF_METRIC, cardTitle } from './cards';
import { added, changed, moved, removed } from './draft';

interface Props {
  board: Board;
  set: (board: Board) => void;
}

const FIRST = 'nps';
const WINDOWS = ['', '30d', '1d', '1w', '1mo', '1q', '1y'];
const choices = () => [...catalog.value.values()].filter(metric => !metric.per_account);
const dimensionsOf = (metric: string | undefined): string[] =>
  (catalog.value.get(metric ?? '')?.dimensions ?? []).filter(name => name !== 'nothing' && name !== 'account' && name !== 'currency');

export function Gallery({ board, set }: Props) {
  const [metric, setMetric] = useState(() => (catalog.value.has(FIRST) ? FIRST : (choices()[0]?.name ?? FIRST)));
  const add = (kind: CardKind): void => {
    const next = added(board, kind, metric, dimensionsOf(metric)[0]);
    set(next);
    const id = next.cards.at(-1)?.id ?? '';
    requestAnimationFrame(() => {
      const card = document.getElementById(id);
      card?.focus();
      card?.scrollIntoView({ block: 'nearest' });
    });
  };
  return (
    <section class="section" aria-labelledby="add-title">
      <div class="section-head">
        <h2 id="add-title">{t('board.add')}</h2>
        <div class="section-tools">
          <Pick label={t('metrics.metric')} value={metric} options={choices().map(of => [of.name, metricTitle(of.name, of.title)])} onChoose={setMetric} />
        </div>
      </div>
      <ul class="gallery">
        {KINDS.map(kind => (
          <li>
            <Button icon="plus" text={t(`card.${kind}`)} title={t(`card.${kind}.words`)} onClick={() => add(kind)} />
          </li>
        ))}
      </ul>
    </section>
  );
}

export function EditedCards({ board, set }: Props) {
  const [said, setSaid] = useState('');
  const dragged = useRef<string | null>(null);
  const place = (id: string): number => board.cards.findIndex(card => card.id === id);

  const move = (id: string, to: number): void => {
    const next = moved(board, id, to);
    if (next === board) return;
    set(next);
    const at = next.cards.findIndex(card => card.id === id);
    setSaid(t('board.moved', { n: at + 1, total: next.cards.length }));
    // It is the same element, but it was taken out and put elsewhere, which loses the focus. Who has gone on meanwhile keeps theirs.
    requestAnimationFrame(() => document.activeElement === document.body && document.getElementById(id)?.focus());
  };
  const onKeyDown = (event: KeyboardEvent, card: Card): void => {
    if (event.target !== event.currentTarget) return;
    const at = place(card.id);
    const steps: Record<string, () => void> = {
      ArrowLeft: () => move(card.id, at - 1),
      ArrowUp: () => move(card.id, at - 1),
      ArrowRight: () => move(card.id, at + 1),
      ArrowDown: () => move(card.id, at + 1),
      Home: () => move(card.id, 0),
      End: () => move(card.id, board.cards.length - 1),
      Delete: () => remove(card),
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    step();
  };
  const remove = (card: Card): void => {
    const at = place(card.id);
    set(removed(board, card.id));
    setSaid(t('board.removed', { title: cardTitle(card) }));
    const next = board.cards[at + 1] ?? board.cards[at - 1];
    requestAnimationFrame(() => document.getElementById(next?.id ?? 'add-title')?.focus());
  };
  /** The pointer is over another card: the dragged one takes its place. */
  const over = (event: PointerEvent): void => {
    const id = dragged.current;
    if (id === null) return;
    const under = document.elementFromPoint(event.clientX, event.clientY)?.closest<HTMLElement>('[data-card]');
    const target = under?.dataset['card'];
    if (target !== undefined && target !== id) set(moved(board, id, place(target)));
  };

  return (
    <>
      <p class="vh" role="status">
        {said}
      </p>
      <div class="board is-edited">
        {board.cards.map(card => (
          <section
            key={card.id}
            id={card.id}
            data-card={card.id}
            class={`card card-${card.size} ${dragged.current === card.id ? 'is-dragged' : ''}`}
            tabIndex={0}
            aria-label={t('board.card', { title: cardTitle(card), kind: t(`card.${card.kind}`), n: place(card.id) + 1, total: board.cards.length })}
            onKeyDown={event => onKeyDown(event, card)}
          >
            <div class="card-head">
              <span
                class="card-grip"
                aria-hidden="true"
                onPointerDown={event => {
                  dragged.current = card.id;
                  event.currentTarget.setPointerCapture(event.pointerId);
                }}
                onPointerMove={over}
                onPointerUp={() => {
                  dragged.current = null;
                  set({ ...board });
                }}
                onPointerCancel={() => (dragged.current = null)}
              >
                <Icon name="grip" />
              </span>
              <h2>{cardTitle(card)}</h2>
              <Button cls="btn-icon" label={t('board.remove', { title: cardTitle(card) })} title={t('board.remove.title')} icon="close" onClick={() => remove(card)} />
            </div>
            <CardTools card={card} change={change => set(changed(board, card.id, change))} move={by => move(card.id, place(card.id) + by)} />
            <div class="panel card-panel" inert>
              <CardBody card={card} />
            </div>
          </section>
        ))}
      </div>
    </>
  );
}

function CardTools({ card, change, move }: { card: Card; change: (change: Partial<Card>) => void; move: (by: number) => void }) {
  const title = cardTitle(card);
  return (
    <div class="card-tools">
      <Button cls="btn-icon" label={t('board.earlier', { title })} title={t('board.earlier.title')} onClick={() => move(-1)}>
        <span aria-hidden="true">←</span>
      </Button>
      <Button cls="btn-icon" label={t('board.later', { title })} title={t('board.later.title')} onClick={() => move(1)}>
        <span aria-hidden="true">→</span>
      </Button>
      <Pick
        label={t('board.size')}
        value={String(card.size)}
        options={[
          ['1', t('board.size.1')],
          ['2', t('board.size.2')],
          ['4', t('board.size.4')],
        ]}
        onChoose={size => change({ size: Number(size) as 1 | 2 | 4 })}
      />
      {OF_METRIC.has(card.kind) && (
        <Pick
          label={t('metrics.metric')}
          value={card.metric ?? ''}
          options={choices().map(of => [of.name, metricTitle(of.name, of.title)])}
          onChoose={metric => {
            const dimensions = dimensionsOf(metric);
            const by = card.by !== undefined && dimensions.includes(card.by) ? card.by : dimensions[0];
            change(BY_DIMENSION.has(card.kind) && by !== undefined ? { metric, by } : { metric });
          }}
        />
      )}
      {BY_DIMENSION.has(card.kind) && (
        <Pick label={t('breakdown.by')} value={card.by ?? ''} options={dimensionsOf(card.metric).map(name => [name, dimensionTitle(name)])} onChoose={by => change({ by })} />
      )}
      {OF_METRIC.has(card.kind) && (
        <Pick
          label={t('tools.window')}
          value={card.window ?? ''}
          options={WINDOWS.map(name => [name, name === '' ? t('board.window.page') : windowTitle(name)])}
          onChoose={window => change({ window: window === '' ? undefined : window })}
        />
      )}
      {card.kind === 'text' && (
        <label class="field card-field">
          <span class="vh">{t('card.text')}</span>
          <textarea value={card.text ?? ''} maxLength={2000} onInput={event => change({ text: event.currentTarget.value })} />
        </label>
      )}
    </div>
  );
}
