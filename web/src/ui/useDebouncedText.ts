import { useEffect, useRef, useState } from 'react';

/**
 * Text that is typed at once and committed, trimmed, when the typing has rested for `delayMs`.
 * When `committed` changes from elsewhere, such as the address bar, the text follows it.
 */
export function useDebouncedText(
  committed: string,
  delayMs: number,
  onCommit: (text: string | undefined) => void,
): [string, (text: string) => void] {
  const [text, setText] = useState(committed);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const latest = useRef(onCommit);
  useEffect(() => {
    latest.current = onCommit;
  });
  const sent = useRef(committed);
  useEffect(() => {
    if (committed !== sent.current) {
      clearTimeout(timer.current);
      sent.current = committed;
      setText(committed);
    }
  }, [committed]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (typed: string) => {
    setText(typed);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      const trimmed = typed.trim();
      if (trimmed !== sent.current) {
        sent.current = trimmed;
        latest.current(trimmed || undefined);
      }
    }, delayMs);
  };
  return [text, type];
}
