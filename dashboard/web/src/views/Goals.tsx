// Goals: what is on track, what is behind, and where each should be today.
import { useResource } from '../api/resource';
import type { Goal } from '../api/types';
import { count } from '../format/number';
import { rich, t } from '../i18n';
import { Bones, Empty, Failed } from '../parts/Failed';
import { GoalMark, GoalRow, byDay } from '../parts/lists';
import { Head, Section } from '../parts/Section';
import { Share } from '../parts/Share';

const ORDER = ['behind', 'missed', 'on_track', 'met', 'no_data'] as const;

export default function Goals() {
  const read = useResource<{ goals: Goal[] }>('/goals');
  const goals = read.data?.goals ?? null;
  const good = goals?.filter(goal => goal.state === 'on_track' || goal.state === 'met').length ?? 0;
  return (
    <>
      <Head title={t('view.goals')} actions={<Share />} />
      {goals !== null && goals.length > 0 && <p class="lede">{rich('goals.lede', { n: good, total: goals.length })}</p>}
      {goals === null && <div class="panel">{read.failure === null ? <Bones /> : <Failed problem={read.failure} again={read.reload} />}</div>}
      {goals?.length === 0 && (
        <div class="panel">
          <Empty title={t('goals.none')}>
            <p>{t('goals.none.words')}</p>
          </Empty>
        </div>
      )}
      {goals !== null &&
        ORDER.map(state => {
          const of = byDay(goals.filter(goal => goal.state === state));
          if (of.length === 0) return null;
          return (
            <Section key={state} title={t(`goals.${state}`)} note={count(of.length)}>
              <ul class="panel list">
                {of.map((goal, place) => (
                  <GoalRow key={place} goal={goal} />
                ))}
                {state === 'behind' || state === 'on_track' ? <GoalMark /> : null}
              </ul>
            </Section>
          );
        })}
    </>
  );
}
