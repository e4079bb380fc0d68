// A read that a view stands on: its data, its failure, and whether it takes longer than a moment.
// The old data stay until the new are there, so that a change of filter does not empty the page. A failure is tried again.
import { useEffect, useRef, useState } from 'preact/hooks';
import { Failure, get } from './client';
import type { Problem } from './types';

const SLOW_MS = 200;
const RETRY_MS = 5_000;

export interface Resource<T> {
  data: T | null;
  /** Changes the data in place: what the stream brought. */
  update(change: (data: T) => T): void;
  failure: Problem | null;
  /** Nothing to show yet, and it is not a matter of milliseconds: bones may be drawn. */
  slow: boolean;
  busy: boolean;
  reload(): void;
}

export function useResource<T>(url: string | null): Resource<T> {
  const [data, setData] = useState<T | null>(null);
  const [failure, setFailure] = useState<Problem | null>(null);
  const [slow, setSlow] = useState(false);
  const [busy, setBusy] = useState(url !== null);
  const [round, setRound] = useState(0);
  const latest = useRef(0);

  useEffect(() => {
    if (url === null) return undefined;
    const mine = ++latest.current;
    const abort = new AbortController();
    const timer = setTimeout(() => setSlow(true), SLOW_MS);
    let retry: ReturnType<typeof setTimeout> | undefined;
    setBusy(true);
    get<T>(url, abort.signal)
      .then(answer => {
        if (mine !== latest.current) return;
        setData(answer.data);
        setFailure(null);
      })
      .catch((error: unknown) => {
        if (abort.signal.aborted || mine !== latest.current) return;
        setFailure(error instanceof Failure ? error.problem : { title: '', status: 0, detail: '' });
        const status = error instanceof Failure ? error.problem.status : 0;
        if (status === 0 || status >= 500) retry = setTimeout(() => setRound(n => n + 1), RETRY_MS);
      })
      .finally(() => {
        clearTimeout(timer);
        if (mine !== latest.current) return;
        setSlow(false);
        setBusy(false);
      });
    return () => {
      abort.abort();
      clearTimeout(timer);
      clearTimeout(retry);
    };
  }, [url, round]);

  return {
    data,
    failure,
    slow: slow && data === null,
    busy,
    reload: () => setRound(n => n + 1),
    update: change => setData(old => (old === null ? old : change(old))),
  };
}
