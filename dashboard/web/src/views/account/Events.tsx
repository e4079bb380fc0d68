// What happened: the events of an account, newest first, each with what it did to the score. All of it is foreign text.
import { useEffect, useState } from 'preact/hooks';
import { get, path, segment } from '../../api/client';
import type { EventsAnswer, Explain, LogEvent } from '../../api/types';
import { money, signed } from '../../format/number';
import { exact, moment } from '../../format/time';
import { named, t } from '../../i18n';
import { Icon, type IconName } from '../../marks/icons';
import { Button } from '../../parts/Button';
import { Bones } from '../../parts/Failed';
import { Section } from '../../parts/Section';

const PAGE = 20;
const FIELD_MOST = 140;
const FIELDS_MOST = 6;
const ICONS: Record<string, IconName> = {
  invoice: 'card',
  payment: 'card',
  subscription: 'card',
  ticket: 'ticket',
  survey: 'star',
  usage: 'use',
  order: 'box',
  account: 'people',
  contact: 'people',
  opportunity: 'funnel',
  lead: 'funnel',
  goal: 'goal',
  retracted: 'rewind',
};

const iconOf = (type: string): IconName => ICONS[type.split('.')[0] ?? ''] ?? 'clock';

/** Fields that hold money, in minor units of the event's currency. */
const MONEY = new Set(['gross', 'amount', 'discount', 'mrr', 'value', 'refund']);
/** What is longer as JSON says nothing on a line. */
const JSON_MOST = 60;

function textOf(name: string, value: unknown, data: Record<string, unknown>): string {
  const currency = data['currency'];
  if (MONEY.has(name) && typeof value === 'number' && typeof currency === 'string' && /^[A-Z]{3}$/.test(currency)) {
    const digits = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
    return money(value / 10 ** digits, currency);
  }
  return (typeof value === 'object' ? JSON.stringify(value) : String(value)).slice(0, FIELD_MOST);
}

/** The fields of an event as short words: what they are called, and what they say. */
function fields(data: Record<string, unknown>): [string, string][] {
  return Object.entries(data)
    .filter(([name, value]) => value !== null && name !== 'comment' && name !== 'text' && name !== 'subject')
    .filter(([, value]) => typeof value !== 'object' || JSON.stringify(value).length <= JSON_MOST)
    .slice(0, FIELDS_MOST)
    .map(([name, value]) => [name, textOf(name, value, data)]);
}

const said = (data: Record<string, unknown>): string | null => {
  const text = data['comment'] ?? data['text'] ?? data['subject'];
  return typeof text === 'string' && text !== '' ? text.slice(0, 500) : null;
};

export function Events({ account, explain, round }: { account: string; explain: Explain | null; round: number }) {
  const [events, setEvents] = useState<LogEvent[] | null>(null);
  const [next, setNext] = useState<string | null>(null);
  const base = `/accounts/${segment(account)}/events`;

  useEffect(() => {
    const abort = new AbortController();
    get<EventsAnswer>(path(base, { limit: PAGE }), abort.signal).then(
      ({ data }) => {
        setEvents(data.events);
        setNext(data.next);
      },
      () => undefined,
    );
    return () => abort.abort();
  }, [base, round]);

  const more = (): void => {
    void get<EventsAnswer>(path(base, { limit: PAGE, cursor: next })).then(({ data }) => {
      setEvents([...(events ?? []), ...data.events]);
      setNext(data.next);
    });
  };
  const effects = new Map(
    (explain?.parts ?? [])
      .filter(part => part.id !== undefined)
      .map(part => [`${part.source}/${part.id}`, { by: Object.values(part.by).reduce((a, b) => a + b, 0) / 10, brought: part.brought }]),
  );
  return (
    <Section title={t('events.title')}>
      <div class="panel">
        {events === null && <Bones lines={6} />}
        {events !== null && events.length === 0 && <p class="pad note">{t('events.none')}</p>}
        <ol>
          {(events ?? []).map(event => {
            const effect = effects.get(`${event.source}/${event.id}`);
            const words = said(event.data);
            return (
              <li class={`event ${effect?.brought === 'correction' ? 'is-correction' : ''}`} key={`${event.source}/${event.id}`}>
                <Icon name={iconOf(event.type)} />
                <div>
                  <p class="event-title">
                    <bdi>{named(`event.${event.type}`, event.type)}</bdi>
                    {effect?.brought === 'correction' && <span class="tag is-blue"> {t('stamp.corrected')}</span>}
                  </p>
                  {words !== null && <blockquote dir="auto">{words}</blockquote>}
                  <p class="event-note event-fields">
                    {fields(event.data).map(([name, value]) => (
                      <span>
                        <bdi class="event-name">{name.slice(0, 60)}</bdi> <bdi class="event-value">{value}</bdi>
                      </span>
                    ))}
                  </p>
                  <p class="event-note">
                    <bdi>{event.source.slice(0, 80)}</bdi>, <bdi class="mono">{event.id.slice(0, 120)}</bdi>
                  </p>
                </div>
                <div>
                  <p class={`event-effect ${(effect?.by ?? 0) < 0 ? 'is-bad-text' : 'is-good-text'}`}>
                    {effect !== undefined && effect.by !== 0 ? signed(effect.by) : '\u00a0'}
                  </p>
                  <p class="event-when" title={exact(event.time)}>
                    {moment(event.time)}
                  </p>
                </div>
              </li>
            );
          })}
        </ol>
        {next !== null && (
          <p class="pad">
            <Button text={t('more')} onClick={more} />
          </p>
        )}
      </div>
    </Section>
  );
}
