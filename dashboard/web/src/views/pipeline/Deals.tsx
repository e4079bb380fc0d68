// Deals that have stopped: longer in their stage than twice what is usual there, the worst first. A list of people to call.
import { useEffect, useState } from 'preact/hooks';
import { get, path } from '../../api/client';
import { useResource } from '../../api/resource';
import type { Deal, DealsAnswer } from '../../api/types';
import { money, shown } from '../../format/number';
import { exact } from '../../format/time';
import { named, t } from '../../i18n';
import { Button } from '../../parts/Button';
import { Bones, Empty, Failed } from '../../parts/Failed';
import { tooltip } from '../../parts/lists';
import { partName } from '../../parts/PartsTable';
import { Section } from '../../parts/Section';
import { segmentName } from '../../state/filters';

const PAGE = 20;
/** So many are shown where none has stopped: those that are nearest to it. */
const LONGEST = 5;
const OWNER = 'owner:';

/** The owner, if the page is about one. */
const owner = (): string | null => (segmentName.value?.startsWith(OWNER) === true ? segmentName.value.slice(OWNER.length) : null);

export function Deals({ currency }: { currency: string | null }) {
  // Of all open deals those that have stopped come first, so one request says how many there are of both.
  const asked = { currency, owner: owner(), limit: PAGE };
  const read = useResource<DealsAnswer>(path('/deals', asked));
  const [more, setMore] = useState<Deal[]>([]);
  const [next, setNext] = useState<string | null>(null);
  useEffect(() => {
    setMore([]);
    setNext(read.data?.next ?? null);
  }, [read.data]);
  const readOn = (): void => {
    void get<DealsAnswer>(path('/deals', { ...asked, cursor: next })).then(({ data }) => {
      setMore([...more, ...data.deals]);
      setNext(data.next);
    });
  };
  const { data } = read;
  const all = [...(data?.deals ?? []), ...more];
  const stopped = all.filter(deal => deal.stopped);
  return (
    <Section id="stopped" title={t('deals.title')} note={t('deals.note')}>
      <div class="panel">
        {data === null && (read.failure === null ? <Bones lines={4} /> : <Failed problem={read.failure} again={read.reload} />)}
        {data !== null && all.length === 0 && <Empty title={t('deals.none')} />}
        {data !== null && all.length > 0 && (
          <>
            <Table deals={stopped.length > 0 ? stopped : all.slice(0, LONGEST)} />
            <p class="note pad-note">{stopped.length > 0 ? t('deals.count', { n: data.stopped, total: data.total }) : t('deals.moving', { total: data.total })}</p>
          </>
        )}
        {next !== null && stopped.length === all.length && (
          <p class="pad">
            <Button text={t('more')} onClick={readOn} />
          </p>
        )}
      </div>
    </Section>
  );
}

const Table = ({ deals }: { deals: Deal[] }) => (
  <table class="table table-names">
    <caption class="vh">{t('deals.title')}</caption>
    <thead>
      <tr>
        <th scope="col">{t('deals.deal')}</th>
        <th scope="col" class="p2">
          {t('dimension.stage')}
        </th>
        <th scope="col" class="num">
          {t('deals.amount')}
        </th>
        <th scope="col" class="num">
          {t('deals.since')}
        </th>
        <th scope="col" class="num p2">
          {t('deals.usual')}
        </th>
        <th scope="col" class="p2">
          {t('accounts.owner')}
        </th>
      </tr>
    </thead>
    <tbody>
      {deals.map(deal => (
        <tr key={deal.opportunity}>
          <th scope="row">
            <a class="link-quiet" href={`/accounts/${encodeURIComponent(deal.account)}`} title={tooltip(deal.name ?? deal.account)} data-row={deal.opportunity}>
              <bdi>{deal.name ?? deal.account}</bdi>
            </a>
            <span class="sub">
              {named(`deal.${deal.kind}`, deal.kind)}, <bdi class="mono">{deal.opportunity.slice(0, 120)}</bdi>
            </span>
            <span class="sub sub-only">
              {partName(deal.stage)}
              {deal.usual_seconds !== null && ` (${t('deals.usual.sub', { time: shown(deal.usual_seconds, 'seconds', null) })})`}
            </span>
          </th>
          <td class="p2">
            <span class="cell-short">{partName(deal.stage)}</span>
          </td>
          <td class="num">
            <strong>{deal.amount === null ? t('none') : money(deal.amount, deal.currency)}</strong>
          </td>
          <td class={`num ${deal.stopped ? 'is-warn-text' : ''}`} title={deal.since === null ? undefined : exact(deal.since)}>
            {shown(deal.seconds, 'seconds', null)}
          </td>
          <td class="num p2 muted">{deal.usual_seconds === null ? '' : shown(deal.usual_seconds, 'seconds', null)}</td>
          <td class="p2 muted">
            {deal.owner === '' ? (
              <span class="tag is-warn">{t('accounts.nobody')}</span>
            ) : (
              <span class="cell-short" title={tooltip(deal.owner)}>
                <bdi>{deal.owner}</bdi>
              </span>
            )}
          </td>
        </tr>
      ))}
    </tbody>
  </table>
);
