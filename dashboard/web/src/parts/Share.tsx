// Copies the address, filters included, and says that it did.
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import { Icon } from '../marks/icons';
import { Button } from './Button';

const SAID_MS = 2_000;

export function Share() {
  const [done, setDone] = useState(false);
  const copy = (): void => {
    const said = (): void => {
      setDone(true);
      setTimeout(() => setDone(false), SAID_MS);
    };
    // Without a secure context there is no clipboard: the address bar has the same text, so it is shown for copying.
    if (navigator.clipboard === undefined) prompt(t('share.copy'), location.href);
    else navigator.clipboard.writeText(location.href).then(said, () => prompt(t('share.copy'), location.href));
  };
  return (
    <>
      <Button text={done ? t('share.done') : t('share')} icon={done ? 'check' : 'link'} title={t('share.title')} onClick={copy} />
      <span class="vh" role="status">
        {done ? t('share.done') : ''}
      </span>
    </>
  );
}

/** A file of the API, such as a list as CSV. */
export const Export = ({ href, name }: { href: string; name: string }) => (
  <a class="btn" href={href} download={name} title={t('export.title')}>
    <Icon name="export" />
    <span>{t('export')}</span>
  </a>
);
