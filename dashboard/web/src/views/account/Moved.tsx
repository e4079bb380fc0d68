// Why the score moved: before, what time did, what happened, corrections, after. Each row adds up to the decimal.
import type { AccountPage, Explain, Problem } from '../../api/types';
import { decimal, signed } from '../../format/number';
import { date } from '../../format/time';
import { componentTitle } from '../../format/words';
import { t } from '../../i18n';
import { FallBar } from '../../marks/Bar';
import { Bones } from '../../parts/Failed';
import { Section } from '../../parts/Section';

type Kind = 'time' | 'event' | 'other';
const KIND: Record<string, Kind> = { time: 'time', event: 'event', correction: 'other', definition: 'other' };

/** Tenths by component, for each kind of cause. */
function summed(explain: Explain): Record<Kind, Map<string, number>> {
  const out: Record<Kind, Map<string, number>> = { time: new Map(), event: new Map(), other: new Map() };
  for (const part of explain.parts ?? []) {
    const of = out[KIND[part.brought] ?? 'other'];
    for (const [component, tenths] of Object.entries(part.by)) of.set(component, (of.get(component) ?? 0) + tenths);
  }
  return out;
}

export function Moved({ page, explain, failure }: { page: AccountPage; explain: Explain | null; failure: Problem | null }) {
  if (explain === null && failure !== null) return null;
  const since = explain?.since;
  const note = explain === null || since === undefined ? null : t('moved.note', { from: date(since), to: date(explain.at) });
  return (
    <Section title={t('moved.title')} note={note}>
      <div class="panel pad">{explain === null ? <Bones lines={6} /> : <Falls page={page} explain={explain} />}</div>
    </Section>
  );
}

function Falls({ page, explain }: { page: AccountPage; explain: Explain }) {
  const kinds = summed(explain);
  const total = (of: Map<string, number>): number => [...of.values()].reduce((a, b) => a + b, 0) / 10;
  const after = (explain.tenths ?? 0) / 10;
  const before = after - (explain.change ?? 0) / 10;
  const titles = new Map(page.contributions.map(of => [of.component, of.title]));
  let level = before;
  const rows = (kind: Kind) =>
    [...kinds[kind]]
      .filter(([, tenths]) => tenths !== 0)
      .sort((a, b) => a[1] - b[1])
      .map(([component, tenths]) => {
        const start = level;
        level += tenths / 10;
        const cls = tenths > 0 ? 'm-bar-good' : kind === 'time' ? 'm-bar-time-bad' : 'm-bar-bad';
        return (
          <tr key={component}>
            <th scope="row" class="fall-name">
              {componentTitle(component, titles.get(component))}
            </th>
            <td class="fall-bar">
              <FallBar start={start} end={level} cls={cls} />
            </td>
            <td class={`fall-num ${tenths < 0 ? 'is-bad-text' : 'is-good-text'}`}>{signed(tenths / 10)}</td>
          </tr>
        );
      });
  const group = (kind: Kind, name: string) => (
    <tbody>
      <tr class="fall-group">
        <th scope="rowgroup" class="fall-name">
          {name}
        </th>
        <td class="fall-bar">
          <FallBar start={level} end={level} />
        </td>
        <td class="fall-num">{signed(total(kinds[kind]))}</td>
      </tr>
      {rows(kind)}
    </tbody>
  );
  const end = (name: string, value: number, last: boolean) => (
    <tbody>
      <tr class="fall-end">
        <th scope="row" class="fall-name">
          {name}
        </th>
        <td class="fall-bar">
          <FallBar start={0} end={value} cls="m-bar-ink" first last={last} />
        </td>
        <td class="fall-num">{decimal(value)}</td>
      </tr>
    </tbody>
  );
  return (
    <>
      <table class="fall">
        <caption class="vh">{t('moved.caption', { from: decimal(before), to: decimal(after) })}</caption>
        <thead>
          <tr>
            <th scope="col">
              <span class="vh">{t('account.component')}</span>
            </th>
            <td class="fall-bar">
              <span class="fall-axis" aria-hidden="true">
                {['0', '40', '70', '100'].map(edge => (
                  <span class={`at-${edge}`}>{edge}</span>
                ))}
              </span>
            </td>
            <th scope="col">
              <span class="vh">{t('moved.points')}</span>
            </th>
          </tr>
        </thead>
        {end(explain.since === undefined ? t('breakdown.before') : date(explain.since), before, false)}
        {group('time', t('moved.time'))}
        {group('event', t('moved.event'))}
        {group('other', t('moved.other'))}
        {end(t('moved.now'), after, true)}
      </table>
      <p class="legend">
        <span>
          <span class="swatch swatch-hatch" /> {t('moved.legend.time')}
        </span>
        <span>
          <span class="swatch m-bar-bad" /> {t('moved.legend.down')}
        </span>
        <span>
          <span class="swatch m-bar-good" /> {t('moved.legend.up')}
        </span>
      </p>
    </>
  );
}
