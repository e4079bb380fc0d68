// The two dialogs of the shell: the keyboard with the reader's settings, and on a phone the views that the bar has no place for.
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import { t } from '../i18n';
import { place } from '../state/router';
import { keysOn, setKeysOn } from '../state/keys';
import { toggleTheme } from '../state/theme';
import { Button } from '../parts/Button';
import { LanguagePick, MoreLinks } from './Side';
import { VIEWS } from './views';

const opened = signal<'keys' | 'more' | null>(null);
export const openKeys = (): void => {
  opened.value = 'keys';
};
export const openMore = (): void => {
  opened.value = 'more';
};

function Dialog({ name, title, children }: { name: 'keys' | 'more'; title: string; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = opened.value === name;
  useEffect(() => {
    if (isOpen && dialog.current?.open === false) dialog.current.showModal();
    if (!isOpen && dialog.current?.open === true) dialog.current.close();
  }, [isOpen]);
  const close = (): void => {
    opened.value = null;
  };
  return (
    <dialog class="dialog" aria-labelledby={`${name}-title`} ref={dialog} onClose={close}>
      {isOpen && (
        <>
          <h2 id={`${name}-title`}>{title}</h2>
          {children}
          <Button text={t('close')} onClick={close} />
        </>
      )}
    </dialog>
  );
}

function Keys() {
  const list: [keys: string[], words: string][] = [
    [['/'], t('keys.find')],
    [['g'], t('keys.go', { list: VIEWS.map(view => `${view.key} ${t(view.name)}`).join(', ') })],
    [['j', 'k'], t('keys.rows')],
    [['Enter'], t('keys.open')],
    [['e'], t('keys.acknowledge')],
    [['s'], t('keys.segment')],
    [['w'], t('keys.window')],
    [['c'], t('keys.compare')],
    [['←', '→'], t('keys.chart')],
    [['d'], t('keys.table')],
    [['t'], t('keys.theme')],
    [['?'], t('keys.list')],
    [['Esc'], t('keys.close')],
  ];
  return (
    <dl class="keys">
      {list.map(([keys, words]) => (
        <div>
          <dt>
            {keys.map(key => (
              <kbd>{key}</kbd>
            ))}
          </dt>
          <dd>{words}</dd>
        </div>
      ))}
    </dl>
  );
}

const Settings = () => (
  <div class="settings">
    <LanguagePick />
    <Button text={t('settings.theme')} icon="moon" onClick={toggleTheme} />
    <label class="check">
      <input type="checkbox" checked={keysOn.value} onChange={event => setKeysOn(event.currentTarget.checked)} />
      <span>{t('settings.keys')}</span>
    </label>
  </div>
);

export function Dialogs() {
  const here = place.value;
  // Whoever went somewhere wants to see it.
  useEffect(() => {
    opened.value = null;
  }, [here]);
  return (
    <>
      <Dialog name="keys" title={t('keys.title')}>
        <Keys />
        <h3 class="mini">{t('settings.title')}</h3>
        <Settings />
      </Dialog>
      <Dialog name="more" title={t('nav.more')}>
        <MoreLinks />
        <h3 class="mini">{t('settings.title')}</h3>
        <Settings />
      </Dialog>
    </>
  );
}
