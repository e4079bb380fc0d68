// What stands in place of a part that has nothing to show: a failure, or emptiness. What, why, what now.
import type { ComponentChildren } from 'preact';
import type { Problem } from '../api/types';
import { t } from '../i18n';
import { Button } from './Button';

export const Failed = ({ problem, again }: { problem: Problem; again: () => void }) => (
  <div class="empty" role="status">
    <h2>{problem.status === 404 ? t('failed.missing') : t('failed.title')}</h2>
    <p>
      {problem.status === 0 ? t('failed.unreachable') : t('failed.answer', { status: problem.status, title: problem.title })}
      {problem.detail !== '' && ' '}
      {problem.detail !== '' && <bdi lang="en">{problem.detail}</bdi>}
    </p>
    <p>
      <Button text={t('failed.again')} onClick={again} />
    </p>
  </div>
);

export const Empty = ({ title, children }: { title: string; children?: ComponentChildren }) => (
  <div class="empty">
    <h2>{title}</h2>
    {children}
  </div>
);

export const Bones = ({ lines = 4 }: { lines?: number }) => (
  <div class="pad bones" aria-busy="true">
    <span class="vh">{t('loading')}</span>
    {Array.from({ length: lines }, (_, place) => (
      <span class={`bone ${place % 2 === 0 ? 'w-3' : 'w-2'}`} />
    ))}
  </div>
);
