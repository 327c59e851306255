import { type ErrorComponentProps, useRouter } from '@tanstack/react-router';
import { ErrorNotice } from '@/ui/Notice';

/** What stands in place of a page that could not be shown at all. */
export function CrashPage({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const retry = () => {
    reset();
    router.invalidate();
  };
  return <ErrorNotice error={error} onRetry={retry} />;
}
