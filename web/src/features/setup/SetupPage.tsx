import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { api } from '@/api/client';
import { isProblem } from '@/api/problem';
import type { Me, SetupRequest } from '@/api/schema';
import { methodsQuery, rememberSignIn } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { CentredPage } from '@/ui/CentredPage';
import { errorText } from '@/ui/Notice';
import { SetupForm } from './SetupForm';

/** First run: makes the organisation and its first account, who is signed in afterwards. */
export function SetupPage() {
  const methods = useQuery(methodsQuery);
  const client = useQueryClient();
  const router = useRouter();
  const setup = useMutation({
    mutationFn: (request: SetupRequest) => api.post<Me>('/setup', request),
    onSuccess: (me) => {
      rememberSignIn(client, me);
      return router.navigate({ to: '/hosts', search: {} });
    },
  });
  const fields = isProblem(setup.error) ? setup.error.fieldMessages() : {};
  const hasFields = Object.keys(fields).length > 0;
  return (
    <CentredPage
      title="Set up CT-Ops"
      description="Name your organisation and make the first account. It administers everything."
    >
      {setup.isError && !hasFields && (
        <Banner tone="bad">
          {isProblem(setup.error, 'wrong_state')
            ? 'Set-up is already done. Sign in instead.'
            : errorText(setup.error)}
        </Banner>
      )}
      <SetupForm
        codeRequired={methods.data?.setup_code_required ?? true}
        pending={setup.isPending}
        refused={fields}
        onSubmit={(request) => setup.mutate(request)}
      />
    </CentredPage>
  );
}
