// System: the same calm table for ourselves. How far each stage is, what became of events, the disk; and dead letters.
import { useEffect, useState } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import { Failure, get, path, segment, send } from '../api/client';
import { useResource } from '../api/resource';
import type { LettersAnswer, PipelineHealth, Silence } from '../api/types';
import { count, number, shown } from '../format/number';
import { date, exact, moment } from '../format/time';
import { named, rich, t } from '../i18n';
import { Glyph, type Tone } from '../marks/Glyph';
import { Behind } from '../parts/Behind';
import { Button } from '../parts/Button';
import { Bones, Failed } from '../parts/Failed';
import { Facts, Head, Section } from '../parts/Section';
import { lagSeconds, phase } from '../state/live';
import { site, zone } from '../state/site';

const AGAIN_MS = 5_000;
const BEHIND = 10_000;
const PAGE = 20;
const TEXT_MOST = 2_000;

export default function System() {
  const read = useResource<PipelineHealth>('/pipeline');
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === 'visible' && read.reload(), AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  const { data } = read;
  const lag = (data?.stages ?? []).reduce((sum, stage) => sum + (stage.lag ?? 0), 0);
  return (
    <>
      <Head title={t('view.system')} />
      {data !== null && <p class="lede">{rich(lag > BEHIND ? 'system.lede.behind' : 'system.lede', { n: lag })}</p>}
      {data === null && <div class="panel">{read.failure === null ? <Bones lines={8} /> : <Failed problem={read.failure} again={read.reload} />}</div>}
      {data !== null && (
        <div class="columns">
          <div>
            <Now health={data} lag={lag} />
            <Letters />
            <Stages health={data} />
          </div>
          <aside class="rail" aria-label={t('system.about')}>
            <About health={data} />
            <Silences />
          </aside>
        </div>
      )}
    </>
  );
}

const bytes = (value: number): string => {
  const place = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  return number(value / 1000 ** place, { style: 'unit', unit: ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'][place] ?? 'byte', unitDisplay: 'short', maximumFractionDigits: 1 });
};

function Now({ health, lag }: { health: PipelineHealth; lag: number }) {
  const { outcomes, disk } = health;
  const rows: [Tone, string, ComponentChildren, ComponentChildren][] = [
    [phase.value === 'live' ? 'good' : 'bad', t('system.stream'), t(phase.value === 'live' ? 'live.live' : phase.value === 'lost' ? 'live.lost' : 'live.connecting'), ''],
    [(lagSeconds.value ?? 0) > 60 ? 'warn' : 'good', t('system.late'), lagSeconds.value === null ? t('none') : shown(lagSeconds.value, 'seconds', null), t('system.late.note')],
    [lag > BEHIND ? 'warn' : 'good', t('system.lag'), count(lag), t('system.lag.note')],
  ];
  for (const [name, n] of Object.entries(outcomes ?? {})) {
    const isBad = (name === 'quarantined' || name === 'refused' || name === 'frozen' || name === 'rejected') && n > 0;
    rows.push([isBad ? 'warn' : 'good', named(`outcome.${name}`, name), count(n), named(`outcome.${name}.note`, '')]);
  }
  if (disk !== null && disk.bytes_free !== null) rows.push([disk.bytes_free < 1e9 ? 'bad' : 'good', t('system.disk'), bytes(disk.bytes_used), t('system.disk.free', { free: bytes(disk.bytes_free) })]);
  return (
    <Section title={t('system.now')}>
      <div class="panel">
        <table class="table">
          <caption class="vh">{t('system.now')}</caption>
          <thead>
            <tr>
              <th scope="col">{t('system.what')}</th>
              <th scope="col" class="num">
                {t('metrics.now')}
              </th>
              <th scope="col">{t('system.note')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(([tone, name, value, note]) => (
              <tr key={name}>
                <th scope="row">
                  <Glyph tone={tone} /> {name}
                </th>
                <td class="num">
                  <strong>{value}</strong>
                </td>
                <td class={tone === 'good' ? 'muted' : `is-${tone}-text`}>{note}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Section>
  );
}

/** Stages by name, with all their topics; the order is that of the API. */
function byStage(stages: PipelineHealth['stages']): Map<string, PipelineHealth['stages']> {
  const all = new Map<string, PipelineHealth['stages']>();
  for (const stage of stages) all.set(stage.stage, [...(all.get(stage.stage) ?? []), stage]);
  return all;
}

function Stages({ health }: { health: PipelineHealth }) {
  if (health.stages.length === 0) return null;
  return (
    <Section title={t('system.stages')} note={t('system.stages.note')}>
      <div class="panel">
        <table class="table">
          <caption class="vh">{t('system.stages')}</caption>
          <thead>
            <tr>
              <th scope="col">{t('system.stage')}</th>
              <th scope="col">{t('system.topic')}</th>
              <th scope="col" class="num">
                {t('system.behind')}
              </th>
            </tr>
          </thead>
          <tbody>
            {[...byStage(health.stages)].map(([name, parts]) => {
              const lag = parts.reduce((sum, part) => sum + (part.lag ?? 0), 0);
              const topics = [...new Set(parts.map(part => part.topic))];
              return (
                <tr key={name}>
                  <th scope="row">
                    <Glyph tone={lag > BEHIND ? 'warn' : 'good'} /> <bdi>{name}</bdi>
                  </th>
                  <td class="muted wrap-any">{topics.length === 1 ? <bdi class="mono">{topics[0]}</bdi> : t('system.topics', { n: topics.length })}</td>
                  <td class="num">{count(lag)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
        <Behind
          summary={t('system.each')}
          caption={t('system.each')}
          heads={[t('system.topic'), t('system.position'), t('system.end'), t('system.behind')]}
          rows={() =>
            health.stages.map(part => [
              <span class="mono">
                <bdi>{part.topic}</bdi> {part.partition}
              </span>,
              ...[part.position, part.end, part.lag].map(n => (n === null ? '' : count(n))),
            ])
          }
        />
      </div>
    </Section>
  );
}

/** What a process does, how much memory it has, and since when it runs. */
function processLine(of: Record<string, unknown>): string {
  const { stages, bytes_resident: memory, since } = of;
  if (!Array.isArray(stages) || typeof since !== 'string') return lineOf(of);
  return t('system.process', { stages: stages.join(', '), memory: typeof memory === 'number' ? bytes(memory) : t('none'), since: moment(since) });
}

/** An object of the API whose fields this page does not know one by one, on a line. */
const lineOf = (of: Record<string, unknown>): string =>
  Object.entries(of)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(', ')
    .slice(0, 400);

/** How much is kept, and of how many topics. */
function keeps(retention: Record<string, unknown>[]): Map<string, number> {
  const all = new Map<string, number>();
  for (const of of retention) all.set(String(of['keeps'] ?? ''), (all.get(String(of['keeps'] ?? '')) ?? 0) + 1);
  return all;
}

function About({ health }: { health: PipelineHealth }) {
  const { disk } = health;
  const [retention, processes] = [health.retention ?? [], health.processes ?? []];
  const rows: [string, ComponentChildren][] = [
    [t('system.tenant'), <bdi>{site.value?.tenant ?? ''}</bdi>],
    [t('system.zone'), zone.value],
    [t('system.version'), site.value?.version ?? ''],
  ];
  if (disk !== null) rows.push([t('system.data'), <bdi class="mono">{disk.path}</bdi>]);
  return (
    <Section title={t('system.about')}>
      <div class="panel pad">
        <Facts rows={rows} />
        {processes.length > 0 && (
          <>
            <h3 class="mini mini-gap">{t('system.processes')}</h3>
            {processes.slice(0, 20).map(of => (
              <p class="note wrap-any">{processLine(of)}</p>
            ))}
          </>
        )}
        {retention.length > 0 && (
          <>
            <h3 class="mini mini-gap">{t('system.retention')}</h3>
            {[...keeps(retention)].map(([what, n]) => (
              <p class="note">
                <bdi lang="en">{what}</bdi>: {t('system.topics', { n })}
              </p>
            ))}
          </>
        )}
      </div>
    </Section>
  );
}

function Silences() {
  const read = useResource<{ silences: Silence[] }>('/silences');
  const [problem, setProblem] = useState('');
  const end = (id: string): void => {
    send('DELETE', `/silences/${segment(id)}`)
      .then(() => read.reload())
      .catch((error: unknown) => setProblem(error instanceof Failure ? error.message : t('failed.unreachable')));
  };
  const all = read.data?.silences ?? [];
  return (
    <Section title={t('system.silences')}>
      <ul class="panel list">
        {all.map(of => (
          <li class="item" key={of.id}>
            <span class="item-name wrap-any">
              <bdi>{of.matchers.join(', ').slice(0, 200)}</bdi>
            </span>
            <span class="item-end">
              <Button text={t('system.silences.end')} onClick={() => end(of.id)} />
            </span>
            <span class="item-sub">
              {t('alerts.until', { day: date(of.until, true) })}, <bdi>{of.by.slice(0, 80)}</bdi>
            </span>
          </li>
        ))}
        {all.length === 0 && <li class="item note">{t('system.silences.none')}</li>}
        {problem !== '' && (
          <li class="item is-bad-text" role="alert">
            {problem}
          </li>
        )}
      </ul>
    </Section>
  );
}

function Letters() {
  const read = useResource<LettersAnswer>(path('/dead-letters', { limit: PAGE }));
  const [more, setMore] = useState<LettersAnswer['letters']>([]);
  const [cursor, setCursor] = useState<string | null>(null);
  const [said, setSaid] = useState<Record<string, string>>({});
  useEffect(() => {
    setMore([]);
    setCursor(read.data?.next ?? null);
  }, [read.data]);
  const replay = (id: string): void => {
    send('POST', `/dead-letters/${segment(id)}/replay`, {})
      .then(() => setSaid(old => ({ ...old, [id]: t('letters.replayed') })))
      .catch((error: unknown) => setSaid(old => ({ ...old, [id]: error instanceof Failure ? error.message : t('failed.unreachable') })));
  };
  const readOn = (): void => {
    void get<LettersAnswer>(path('/dead-letters', { limit: PAGE, cursor })).then(({ data }) => {
      setMore([...more, ...data.letters]);
      setCursor(data.next);
    });
  };
  const letters = [...(read.data?.letters ?? []), ...more];
  return (
    <Section title={t('letters.title')} note={read.data === null ? null : t('letters.note', { n: read.data.total })}>
      <div class="panel">
        {read.failure !== null && read.data === null && <Failed problem={read.failure} again={read.reload} />}
        {read.data !== null && letters.length === 0 && <p class="pad note">{t('letters.none')}</p>}
        <ul class="rows">
          {letters.map(letter => (
            <li class="letter" key={letter.id}>
              <div>
                <p class="event-title wrap-any">
                  <bdi>{named(`letter.${letter.reason}`, letter.reason)}</bdi>
                </p>
                <p class="event-note wrap-any">
                  <bdi lang="en">{letter.detail.slice(0, 600)}</bdi>
                </p>
                <details class="letter-text">
                  <summary>{t('letters.content')}</summary>
                  <pre class="mono" tabIndex={0}>
                    {(letter.text ?? letter.bytes_base64).slice(0, TEXT_MOST)}
                  </pre>
                </details>
                <p class="event-note">
                  <span title={exact(letter.at)}>{moment(letter.at)}</span>, <bdi>{letter.topic}</bdi> {letter.partition}, {letter.offset}
                </p>
                <p class="note" role="status">
                  {said[letter.id] ?? ''}
                </p>
              </div>
              <Button text={t('letters.replay')} icon="rewind" disabled={said[letter.id] === t('letters.replayed')} onClick={() => replay(letter.id)} />
            </li>
          ))}
        </ul>
        {cursor !== null && (
          <p class="pad">
            <Button text={t('more')} onClick={readOn} />
          </p>
        )}
      </div>
    </Section>
  );
}
