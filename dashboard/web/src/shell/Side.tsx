// The way around: the side with all views and dashboards, and on a phone a bar below with a menu for the rest.
import { effect, signal } from '@preact/signals';
import { get } from '../api/client';
import type { BoardEntry } from '../api/types';
import { LANGUAGES, speak, t, language, named, type Language } from '../i18n';
import { Icon, Logo } from '../marks/icons';
import { alertsFiring } from '../state/alerts';
import { place } from '../state/router';
import { link } from '../state/filters';
import { site } from '../state/site';
import { Pick } from '../parts/Button';
import { ON_PHONES, VIEWS, viewOf } from './views';
import { openMore } from './dialogs';

export const boards = signal<BoardEntry[]>([]);
export function readBoards(): void {
  get<{ dashboards: BoardEntry[] }>('/dashboards')
    .then(({ data }) => (boards.value = data.dashboards))
    .catch(() => setTimeout(readBoards, 5_000));
}
effect(() => {
  if (site.value !== null) readBoards();
});

export const boardTitle = (board: { name: string; title: string; ready?: boolean }): string =>
  board.ready === true ? named(`board.${board.name}`, board.title) : board.title;

const Count = ({ id }: { id: string }) =>
  id === 'alerts' && alertsFiring.value > 0 ? (
    <span class="count">
      {alertsFiring.value > 999 ? '999+' : alertsFiring.value}
      <span class="vh"> {t('alerts.firing.word')}</span>
    </span>
  ) : null;

export function Side() {
  const here = viewOf(place.value);
  return (
    <nav class="side" aria-label={t('nav.views')}>
      <a class="brand" href="/" aria-label={t('nav.home')}>
        <Logo />
        <span class="brand-name">Vitals</span>
      </a>
      <ul>
        {VIEWS.map(view => (
          <li>
            <a href={link(view.href)} class="side-link" title={t(view.name)} aria-current={view.id === here ? 'page' : undefined}>
              <Icon name={view.icon} />
              <span class="side-text">{t(view.name)}</span>
              <Count id={view.id} />
            </a>
          </li>
        ))}
      </ul>
      <p class="side-head">{t('nav.boards')}</p>
      <Boards cls="side-packs" />
      <div class="side-foot">
        <span class="side-text">
          <bdi>{site.value?.tenant ?? ''}</bdi>
          {site.value?.demo === true && ` (${t('nav.demo')})`}
        </span>
      </div>
    </nav>
  );
}

const Boards = ({ cls }: { cls: string }) => (
  <ul class={cls}>
    {boards.value.map(board => (
      <li>
        <a
          href={`/boards/${encodeURIComponent(board.name)}`}
          class="side-link"
          aria-current={place.value === `/boards/${encodeURIComponent(board.name)}` ? 'page' : undefined}
        >
          <span class="side-text">
            <bdi>{boardTitle(board)}</bdi>
          </span>
        </a>
      </li>
    ))}
    <li>
      <a href="/boards/new" class="side-link" aria-current={place.value === '/boards/new' ? 'page' : undefined}>
        <Icon name="plus" />
        <span class="side-text">{t('nav.new')}</span>
      </a>
    </li>
  </ul>
);

export function BarNav() {
  const here = viewOf(place.value);
  return (
    <nav class="bar-nav" aria-label={t('nav.main')}>
      <ul>
        {ON_PHONES.flatMap(id => VIEWS.filter(view => view.id === id)).map(view => (
          <li>
            <a href={link(view.href)} class="bar-link" aria-current={view.id === here ? 'page' : undefined}>
              <span class="bar-icon">
                <Icon name={view.icon} />
                <Count id={view.id} />
              </span>
              <span>{t(view.name)}</span>
            </a>
          </li>
        ))}
        <li>
          <button type="button" class="bar-link" aria-haspopup="dialog" onClick={openMore}>
            <span class="bar-icon">
              <Icon name="menu" />
            </span>
            <span>{t('nav.more')}</span>
          </button>
        </li>
      </ul>
    </nav>
  );
}

/** What a phone's bar has no place for. */
export const MoreLinks = () => (
  <>
    <ul class="more-links">
      {VIEWS.filter(view => !ON_PHONES.includes(view.id)).map(view => (
        <li>
          <a href={link(view.href)} class="more-link">
            <Icon name={view.icon} />
            {t(view.name)}
          </a>
        </li>
      ))}
    </ul>
    <h3 class="mini">{t('nav.boards')}</h3>
    <Boards cls="more-links" />
  </>
);

export const LanguagePick = () => (
  <Pick
    label={t('settings.language')}
    value={language.value}
    options={Object.entries(LANGUAGES)}
    onChoose={name => void speak(name as Language, true)}
  />
);
