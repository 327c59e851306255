import { Check, Copy, X } from 'lucide-react';
import classes from './Copyable.module.css';
import { type CopyState, useCopy } from './useCopy';

interface CopyableProps {
  /** What is copied and shown. */
  text: string;
  /** Names the text for the button: "Copy install command". */
  label: string;
  /** `block` wraps long text in a box of its own. */
  display?: 'inline' | 'block';
}

const OUTCOME: Record<CopyState, string> = {
  idle: '',
  copied: 'Copied',
  failed: 'Not copied: select the text instead',
};

/** Fixed-width text with a button that copies it. */
export function Copyable({ text, label, display = 'inline' }: CopyableProps) {
  const [state, copy] = useCopy(text);
  return (
    <span className={display === 'block' ? classes.block : classes.inline}>
      <code className={classes.text}>
        <bdi>{text}</bdi>
      </code>
      <button
        type="button"
        className={classes.button}
        onClick={copy}
        aria-label={`Copy ${label}`}
        title={`Copy ${label}`}
      >
        <CopyIcon state={state} />
        {display === 'block' && (state === 'copied' ? 'Copied' : 'Copy')}
      </button>
      <span className="visually-hidden" role="status">
        {OUTCOME[state]}
      </span>
    </span>
  );
}

function CopyIcon({ state }: { state: CopyState }) {
  const size = 14;
  if (state === 'copied') {
    return <Check size={size} aria-hidden="true" />;
  }
  return state === 'failed' ? (
    <X size={size} aria-hidden="true" />
  ) : (
    <Copy size={size} aria-hidden="true" />
  );
}
