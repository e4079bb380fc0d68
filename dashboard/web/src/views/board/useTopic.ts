// Reads again when the stream says that something changed; once in a while, however much changes.
import { useEffect } from 'preact/hooks';
import { listenTo } from '../../state/live';

const AGAIN_MS = 500;

export function useTopic(topic: string, reload: () => void): void {
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = listenTo(topic, frame => {
      if (frame.isSnapshot) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        reload();
      }, AGAIN_MS);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [topic]);
}
