import { useQuery } from '@tanstack/react-query';
import { methodsQuery } from '@/api/session';
import classes from './LegalNotice.module.css';

/** Who may use this system, in the words of its administrators: plain text, so that markup in it is only text. */
export function LegalNotice() {
  const text = useQuery(methodsQuery).data?.legal_notice ?? '';
  if (text.trim() === '') {
    return null;
  }
  return (
    // A long text scrolls, so it can be reached with the keyboard.
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to take the focus.
    <section className={classes.notice} aria-label="Legal notice" tabIndex={0}>
      {text}
    </section>
  );
}
