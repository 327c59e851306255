import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import type { RouterHistory } from '@tanstack/react-router';
import { isProblem } from '@/api/problem';
import { forgetSignIn } from '@/api/session';
import { type AppRouter, createAppRouter } from './router';

export interface Running {
  queryClient: QueryClient;
  router: AppRouter;
}

/** Answers that another try will not change are not asked for again. */
function worthRetrying(failures: number, error: unknown): boolean {
  const refused = isProblem(error) && error.status >= 400 && error.status < 500;
  return !refused && failures < 2;
}

export function start(history?: RouterHistory): Running {
  let leaving = false;

  /** The session ended: the sign-in gate asks again and leads to the sign-in page. */
  const onError = (error: unknown) => {
    if (leaving || !isProblem(error, 'unauthenticated')) {
      return;
    }
    leaving = true;
    forgetSignIn(queryClient, 'expired');
    router.invalidate().finally(() => {
      leaving = false;
    });
  };

  const queryClient: QueryClient = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: { staleTime: 5_000, retry: worthRetrying, refetchOnWindowFocus: true },
      mutations: { retry: false },
    },
  });
  const router = createAppRouter(queryClient, history);
  return { queryClient, router };
}
