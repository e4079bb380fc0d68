// Goals: those that run, the nearest day first, and where each should be today; then those that ended.
import { useResource } from '../api/resource';
import type { Goal } from '../api/types';
import { count } from '../format/number';
import { rich, t } from '../i18n';
import { Bones, Empty, Failed } from '../parts/Failed';
import { GoalMark, GoalRow, byDay, hasEnded } from '../parts/lists';
import { Head, Section } from '../parts/Section';
import { Share } from '../parts/Share';

export default function Goals() {
  const read = useResource<{ goals: Goal[] }>('/goals');
  const goals = read.data?.goals ?? null;
  const running = byDay((goals ?? []).filter(goal => !hasEnded(goal)));
  const ended = byDay((goals ?? []).filter(goal => hasEnded(goal)));
  const good = running.filter(goal => goal.state === 'on_track' || goal.state === 'met').length;
  return (
    <>
      <Head title={t('view.goals')} actions={<Share />} />
      {goals !== null && goals.length > 0 && <p class="lede">{running.length === 0 ? rich('goals.lede.none') : rich('goals.lede', { n: good, total: running.length })}</p>}
      {goals === null && <div class="panel">{read.failure === null ? <Bones /> : <Failed problem={read.failure} again={read.reload} />}</div>}
      {goals?.length === 0 && (
        <div class="panel">
          <Empty title={t('goals.none')}>
            <p>{t('goals.none.words')}</p>
          </Empty>
        </div>
      )}
      <GoalList title={t('goals.running')} goals={running} isMarked />
      <GoalList title={t('goals.ended')} goals={ended} />
    </>
  );
}

function GoalList({ title, goals, isMarked = false }: { title: string; goals: Goal[]; isMarked?: boolean }) {
  if (goals.length === 0) return null;
  return (
    <Section title={title} note={count(goals.length)}>
      <ul class="panel list">
        {goals.map((goal, place) => (
          <GoalRow key={place} goal={goal} />
        ))}
        {isMarked && <GoalMark />}
      </ul>
    </Section>
  );
}
