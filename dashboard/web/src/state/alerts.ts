// How many alerts fire, for the navigation of every view; the alerts themselves belong to their views.
import { signal } from '@preact/signals';
import type { AlertsAnswer } from '../api/types';
import { listenTo } from './live';

export const alertsFiring = signal(0);

export function watchAlerts(): void {
  listenTo('alerts', frame => {
    const counts = (frame.data as Partial<AlertsAnswer>).counts;
    if (counts !== undefined) alertsFiring.value = counts.firing;
  });
}
