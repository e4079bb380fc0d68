// Band, severity and quality as small shapes: shape and colour say the same, a word says it to those who hear the page.
import type { JSX } from 'preact';
import type { Band, Stamp as Kind } from '../api/types';
import { bandTitle, stampTitle, stampWords } from '../format/words';
import { decimal } from '../format/number';
import { hourMinute } from '../format/time';
import { heardAt } from '../state/live';
import { t } from '../i18n';

export type Tone = 'good' | 'warn' | 'bad';

const shapes: Record<Tone, string> = {
  good: 'M6 1.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9Z',
  warn: 'M6 1 11.3 10.5H.7Z',
  bad: 'M6 .3 11.7 6 6 11.7.3 6Z',
};

export const Glyph = ({ tone }: { tone: Tone }) => (
  <svg class={`glyph is-${tone}`} viewBox="0 0 12 12" aria-hidden="true">
    <path d={shapes[tone]} />
  </svg>
);

export const toneOf = (band: Band | null): Tone => (band === 'critical' ? 'bad' : band === 'at_risk' ? 'warn' : 'good');
export const toneOfSeverity = (severity: string): Tone => (severity === 'critical' || severity === 'page' ? 'bad' : 'warn');

/** A health score with its band. */
export const ScoreMark = ({ score, band }: { score: number | null; band: Band | null }) =>
  score === null ? (
    <span class="score none">{t('none')}</span>
  ) : (
    <span class="score">
      <Glyph tone={toneOf(band)} />
      <span class="score-n">{decimal(score)}</span>
      {band !== null && <span class="vh">, {bandTitle(band)}</span>}
    </span>
  );

const drawings: Record<Kind, () => JSX.Element> = {
  open: () => <circle cx={6} cy={6} r={4.5} class="st-dash" />,
  settling: () => (
    <>
      <circle cx={6} cy={6} r={4.5} class="st-ring" />
      <path d="M6 1.5a4.5 4.5 0 0 0 0 9Z" class="st-fill" />
    </>
  ),
  final: () => <circle cx={6} cy={6} r={4.5} class="st-fill" />,
  corrected: () => <circle cx={6} cy={6} r={4.2} class="st-hollow" />,
  level: () => <path d="M.5 6.5h2.5L5 2.5l2.5 7L9 6.5h2.5" class="st-ring" />,
  late: () => (
    <>
      <circle cx={6} cy={6} r={4.8} class="st-ring" />
      <path d="M6 3.2V6l2 1.2" class="st-ring" />
    </>
  ),
};

export const StampGlyph = ({ kind }: { kind: Kind }) => (
  <svg class="stamp-glyph" viewBox="0 0 12 12" aria-hidden="true">
    {(drawings[kind] ?? drawings.open)()}
  </svg>
);

/** How sure a value is. In a tile the glyph stands alone for the eye; elsewhere words follow. */
export const Stamp = ({ kind, words = false }: { kind: Kind; words?: boolean }) => (
  <span class="stamp" title={t('stamp.title', { name: stampTitle(kind), words: stampWords(kind) })}>
    <StampGlyph kind={kind} />
    <span class={words ? '' : 'vh'}>{words ? stampWords(kind) : stampTitle(kind)}</span>
  </span>
);

/** In place of a stamp while values may be old: the time of the last one. */
export const AsOf = () => {
  const at = heardAt.value;
  return (
    <span class="stamp asof">
      <StampGlyph kind="late" />
      {at === null ? t('live.none') : hourMinute(at)}
    </span>
  );
};
