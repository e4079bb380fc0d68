// A dashboard: cards that its readers arranged. It is data on the server; the address names it and holds the filters.
import { useEffect, useState } from 'preact/hooks';
import { Failure, get, segment, send } from '../api/client';
import type { Board as Data, Problem } from '../api/types';
import { metricTitle } from '../format/words';
import { rich, t } from '../i18n';
import { Icon } from '../marks/icons';
import { Button } from '../parts/Button';
import { Bones, Empty, Failed } from '../parts/Failed';
import { Head } from '../parts/Section';
import { Share } from '../parts/Share';
import { Tools } from '../parts/Tools';
import { boardTitle, boards, readBoards } from '../shell/Side';
import { compareName, defaults, segmentName, windowName } from '../state/filters';
import { address, go, query } from '../state/router';
import { catalog } from '../state/site';
import { CardBody, OF_METRIC, cardTitle } from './board/cards';
import { empty, nameOf } from './board/draft';
import { EditedCards, Gallery } from './board/Editor';
import { link } from '../state/filters';

const NEW = 'new';

export default function Board({ name }: { name: string }) {
  const [board, setBoard] = useState<Data | null>(null);
  const [etag, setEtag] = useState<string | null>(null);
  const [failure, setFailure] = useState<Problem | null>(null);
  const [draft, setDraft] = useState<Data | null>(null);
  const [problem, setProblem] = useState('');
  const [round, setRound] = useState(0);
  const isNew = name === NEW;
  const ready = boards.value.find(of => of.name === name)?.ready === true;
  const from = isNew ? query.value.get('from') : name;

  useEffect(() => {
    if (from === null) {
      setDraft(empty(''));
      return;
    }
    get<Data>(`/dashboards/${segment(from)}`).then(
      ({ data, etag: tag }) => {
        if (isNew) setDraft({ ...data, name: '', title: t('board.copy', { title: boardTitle({ ...data, ready: boards.peek().some(of => of.name === from && of.ready) }) }) });
        else {
          setBoard(data);
          setEtag(tag);
        }
        setFailure(null);
        defaults.value = data.filters ?? {};
      },
      (error: unknown) => setFailure(error instanceof Failure ? error.problem : { title: '', status: 0, detail: '' }),
    );
  }, [from, round]);

  const save = (): void => {
    if (draft === null) return;
    const title = draft.title.trim();
    if (title === '') {
      setProblem(t('board.title.missing'));
      document.getElementById('board-title')?.focus();
      return;
    }
    const key = isNew ? nameOf(title, new Set(boards.value.map(of => of.name))) : name;
    const filters = { window: windowName.value, compare: compareName.value, ...(segmentName.value === null ? {} : { segment: segmentName.value }) };
    const body: Data = { ...draft, name: key, title, filters };
    setProblem('');
    send('PUT', `/dashboards/${segment(key)}`, body, isNew ? { 'if-none-match': '*' } : etag === null ? {} : { 'if-match': etag })
      .then(() => {
        readBoards();
        setDraft(null);
        if (isNew) go(`/boards/${encodeURIComponent(key)}${filterQuery()}`);
        else setRound(n => n + 1);
      })
      .catch((error: unknown) =>
        setProblem(error instanceof Failure ? (error.problem.status === 412 ? t('board.conflict') : error.message) : t('failed.unreachable')),
      );
  };
  const remove = (): void => {
    if (!confirm(t('board.delete.sure', { title: board?.title ?? name }))) return;
    send('DELETE', `/dashboards/${segment(name)}`, undefined, etag === null ? {} : { 'if-match': etag }).then(
      () => {
        readBoards();
        go('/');
      },
      (error: unknown) => setProblem(error instanceof Failure ? error.message : t('failed.unreachable')),
    );
  };

  if (failure !== null && draft === null && board === null)
    return (
      <>
        <Head title={<bdi>{name.slice(0, 80)}</bdi>} />
        <div class="panel">
          <Failed problem={failure} again={() => setRound(n => n + 1)} />
        </div>
      </>
    );
  if (draft !== null)
    return <Editing draft={draft} set={setDraft} save={save} cancel={() => (isNew ? go(link('/')) : setDraft(null))} problem={problem} />;
  if (board === null) return <Bones lines={8} />;
  return (
    <Shown
      board={board}
      ready={ready}
      edit={() => (ready ? go(`/boards/new?from=${encodeURIComponent(name)}`) : setDraft(board))}
      remove={remove}
      problem={problem}
    />
  );
}

/** The filters of the address, as they are. */
const filterQuery = (): string => {
  const kept = new URLSearchParams();
  for (const filter of ['window', 'compare', 'segment']) {
    const value = address.value.searchParams.get(filter);
    if (value !== null) kept.set(filter, value);
  }
  return kept.size === 0 ? '' : `?${kept}`;
};

interface ShownProps {
  board: Data;
  ready: boolean;
  edit: () => void;
  remove: () => void;
  problem: string;
}

function Shown({ board, ready, edit, remove, problem }: ShownProps) {
  return (
    <>
      <Head
        title={<bdi>{boardTitle({ ...board, ready })}</bdi>}
        actions={
          <>
            <Button text={ready ? t('board.edit.copy') : t('overview.edit')} icon="edit" onClick={edit} />
            <Share />
            <a class="btn" href={`/api/v1/dashboards/${encodeURIComponent(board.name)}?format=yaml`} download={`${board.name}.yaml`} title={t('board.export.title')}>
              <Icon name="export" />
              <span>{t('export')}</span>
            </a>
            {!ready && <Button text={t('board.delete')} icon="close" onClick={remove} />}
          </>
        }
      />
      <p class="is-bad-text" role="alert">
        {problem}
      </p>
      <Tools />
      {board.cards.length === 0 ? (
        <div class="panel">
          <Empty title={t('board.empty')} />
        </div>
      ) : (
        <div class="board">
          {board.cards.map(card => (
            <div key={card.id} class={`card card-${card.size} ${card.kind === 'value' ? 'card-value' : ''}`} data-title={cardTitle(card)}>
              {card.kind !== 'value' && card.kind !== 'text' && (
                <div class="section-head">
                  <h2>
                    {card.metric !== undefined && OF_METRIC.has(card.kind) ? (
                      <a class="link-quiet" href={link(`/metrics/${encodeURIComponent(card.metric)}`)}>
                        {cardTitle(card)}
                      </a>
                    ) : (
                      cardTitle(card)
                    )}
                  </h2>
                </div>
              )}
              <div class={card.kind === 'value' ? 'card-panel' : 'panel card-panel'}>
                <CardBody card={card} />
              </div>
            </div>
          ))}
        </div>
      )}
    </>
  );
}

interface EditingProps {
  draft: Data;
  set: (board: Data) => void;
  save: () => void;
  cancel: () => void;
  problem: string;
}

function Editing({ draft, set, save, cancel, problem }: EditingProps) {
  useEffect(() => document.getElementById('board-title')?.focus(), []);
  return (
    <form
      class="editing"
      onSubmit={event => {
        event.preventDefault();
        save();
      }}
    >
      <Head title={draft.title === '' ? t('nav.new') : <bdi>{draft.title}</bdi>} />
      <div class="banner is-editing-banner" role="status">
        <Icon name="edit" />
        <p>{rich('board.editing')}</p>
      </div>
      <div class="tools">
        <label class="pick pick-find">
          <span class="pick-label">{t('board.title')}</span>
          <input id="board-title" type="text" maxLength={80} value={draft.title} aria-invalid={problem !== ''} aria-describedby="board-problem" onInput={event => set({ ...draft, title: event.currentTarget.value })} />
        </label>
        <Button text={t('cancel')} onClick={cancel} />
        <button type="submit" class="btn btn-primary">
          {t('save')}
        </button>
      </div>
      <p class="is-bad-text" role="alert" id="board-problem">
        {problem}
      </p>
      <Tools />
      {catalog.value.size > 0 && <Gallery board={draft} set={set} />}
      {draft.cards.length === 0 ? (
        <div class="panel">
          <Empty title={t('board.empty')}>
            <p>{t('board.empty.words', { metric: metricTitle('nps') })}</p>
          </Empty>
        </div>
      ) : (
        <EditedCards board={draft} set={set} />
      )}
    </form>
  );
}
