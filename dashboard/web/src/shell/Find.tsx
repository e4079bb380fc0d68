// Find: customers, metrics and rules by name. `/` comes here, arrows choose, Enter opens.
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, path } from '../api/client';
import type { AccountsAnswer, Rule } from '../api/types';
import { accountName, metricTitle } from '../format/words';
import { t } from '../i18n';
import { Icon } from '../marks/icons';
import { go } from '../state/router';
import { catalog } from '../state/site';
import { link } from '../state/filters';

interface Hit {
  kind: 'account' | 'metric' | 'rule';
  name: string;
  href: string;
}
const WAIT_MS = 150;
const METRICS_MOST = 5;
const ACCOUNTS_MOST = 6;
let rules: Rule[] | null = null;

async function search(text: string, signal: AbortSignal): Promise<Hit[]> {
  const wanted = text.toLocaleLowerCase();
  const fits = (name: string): boolean => name.toLocaleLowerCase().includes(wanted);
  const metrics = [...catalog.value.values()]
    .map(metric => ({ metric, name: metricTitle(metric.name, metric.title) }))
    .filter(({ metric, name }) => fits(name) || fits(metric.title) || fits(metric.name))
    .slice(0, METRICS_MOST)
    .map(({ metric, name }): Hit => ({ kind: 'metric', name, href: link(`/metrics/${encodeURIComponent(metric.name)}`) }));
  rules ??= await get<{ rules: Rule[] }>('/rules', signal).then(
    ({ data }) => data.rules,
    () => [],
  );
  const found = rules.filter(rule => fits(rule.name)).slice(0, METRICS_MOST);
  const accounts = await get<AccountsAnswer>(path('/accounts', { q: text, limit: ACCOUNTS_MOST }), signal).then(
    ({ data }) => data.accounts,
    () => [],
  );
  return [
    ...accounts.map((row): Hit => ({ kind: 'account', name: accountName(row), href: `/accounts/${encodeURIComponent(row.account)}` })),
    ...metrics,
    ...found.map((rule): Hit => ({ kind: 'rule', name: rule.name, href: `/alerts?tab=rules&rule=${encodeURIComponent(rule.name)}` })),
  ];
}

export function Find() {
  const [text, setText] = useState('');
  const [hits, setHits] = useState<Hit[] | null>(null);
  const [at, setAt] = useState(0);
  const input = useRef<HTMLInputElement>(null);

  useEffect(() => {
    if (text.trim() === '') {
      setHits(null);
      return undefined;
    }
    const abort = new AbortController();
    const timer = setTimeout(() => {
      void search(text.trim(), abort.signal).then(found => {
        if (abort.signal.aborted) return;
        setHits(found);
        setAt(0);
      });
    }, WAIT_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [text]);

  const leave = (): void => {
    setText('');
    setHits(null);
  };
  const open = (hit: Hit | undefined): void => {
    if (hit === undefined) return;
    leave();
    input.current?.blur();
    go(hit.href);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const count = hits?.length ?? 0;
    if (event.key === 'ArrowDown' && count > 0) setAt(Math.min(count - 1, at + 1));
    else if (event.key === 'ArrowUp' && count > 0) setAt(Math.max(0, at - 1));
    else if (event.key === 'Escape') {
      leave();
      input.current?.blur();
    } else return;
    event.preventDefault();
  };

  const isOpen = hits !== null;
  return (
    <form
      class="find"
      role="search"
      onSubmit={event => {
        event.preventDefault();
        open(hits?.[at]);
      }}
      onFocusOut={event => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setHits(null);
      }}
    >
      <Icon name="search" />
      <input
        ref={input}
        type="search"
        id="find"
        role="combobox"
        list={undefined}
        aria-label={t('find.label')}
        aria-expanded={isOpen}
        aria-controls="find-hits"
        aria-activedescendant={isOpen && hits.length > 0 ? `hit-${at}` : undefined}
        aria-autocomplete="list"
        placeholder={t('find.placeholder')}
        autocomplete="off"
        value={text}
        onInput={event => setText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <kbd aria-hidden="true">/</kbd>
      <div id="find-hits" class="hits" role="listbox" aria-label={t('find.hits')} hidden={!isOpen}>
        {(hits ?? []).map((hit, place) => (
          <div
            class="hit"
            id={`hit-${place}`}
            role="option"
            aria-selected={place === at}
            onPointerDown={event => {
              event.preventDefault();
              open(hit);
            }}
          >
            <Icon name={hit.kind === 'account' ? 'people' : hit.kind === 'metric' ? 'chart' : 'bell'} />
            <bdi title={hit.name.slice(0, 300)}>{hit.name}</bdi>
            <span class="note">{t(`find.${hit.kind}`)}</span>
          </div>
        ))}
        {isOpen && hits.length === 0 && (
          <div class="hit" role="option" aria-selected={false} aria-disabled="true">
            <span class="note">{t('find.none')}</span>
          </div>
        )}
      </div>
    </form>
  );
}
