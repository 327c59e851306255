import { type ReactNode, useCallback, useState } from 'react';
import { isProblem } from '@/api/problem';
import { ReauthenticationDialog } from './ReauthenticationDialog';

interface Waiting {
  confirmed: () => void;
  cancelled: () => void;
}

interface StepUp {
  /** Runs an action; when the server wants a fresh confirmation, asks for it and runs it again. */
  guarded: <T>(action: () => Promise<T>) => Promise<T>;
  /** To be drawn anywhere on the page. */
  dialog: ReactNode;
}

/** For actions that the server allows only to who proved a moment ago who they are (auth 17). */
export function useStepUp(): StepUp {
  const [waiting, setWaiting] = useState<Waiting>();
  const guarded = useCallback(async <T,>(action: () => Promise<T>): Promise<T> => {
    try {
      return await action();
    } catch (error) {
      if (!isProblem(error, 'reauthentication_required')) {
        throw error;
      }
      await new Promise<void>((confirmed, reject) => {
        setWaiting({ confirmed, cancelled: () => reject(error) });
      });
      return await action();
    }
  }, []);
  const end = (how: keyof Waiting) => {
    setWaiting(undefined);
    waiting?.[how]();
  };
  const dialog = (
    <ReauthenticationDialog
      opened={waiting !== undefined}
      onConfirmed={() => end('confirmed')}
      onClose={() => end('cancelled')}
    />
  );
  return { guarded, dialog };
}
