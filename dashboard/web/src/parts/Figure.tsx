// A value as it is shown: digits, small units; "none" and its reason where there is no number.
import { figure } from '../format/number';
import type { Value } from '../api/types';
import { t } from '../i18n';

export const Figure = ({ value, kind, currency }: { value: number; kind: string; currency: string | null }) => (
  <>
    {figure(value, kind, currency).map((piece, place) =>
      piece.isUnit ? (
        <span class="unit" key={place}>
          {piece.text}{' '}
        </span>
      ) : (
        piece.text
      ),
    )}
  </>
);

export const FigureOf = ({ of }: { of: Value }) =>
  of.value === null ? <span class="none">{t('none')}</span> : <Figure value={of.value} kind={of.unit} currency={of.currency} />;
