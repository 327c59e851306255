import { Button, Stack } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useLocation, useRouter } from '@tanstack/react-router';
import { api } from '@/api/client';
import { isProblem } from '@/api/problem';
import type { LinkPreview, Me } from '@/api/schema';
import { useStepUp } from '@/features/reauthentication';
import { Banner } from '@/ui/Banner';
import { CentredPage } from '@/ui/CentredPage';
import { errorText } from '@/ui/Notice';
import { forgetLinkToken, linkToken } from './token';

const PROVIDERS: Record<string, string> = {
  ldap: 'a directory',
  oidc: 'an identity provider',
  saml: 'an identity provider',
};

const TITLE = 'Link your account';

/** Asks the owner of an account whether somebody a provider knows is them (auth 31). */
export function LinkAccountPage() {
  const hash = useLocation({ select: (location) => location.hash });
  const token = linkToken(hash);
  const visitor = useQuery({ queryKey: ['link', 'visitor'], queryFn: readVisitor, staleTime: 0 });
  if (token === '' || visitor.isError) {
    return (
      <CentredPage title={TITLE}>
        <Banner tone="bad">
          {token === '' ? 'Begin again at the sign-in page.' : errorText(visitor.error)}
        </Banner>
      </CentredPage>
    );
  }
  if (visitor.isPending) {
    return (
      <CentredPage title={TITLE} description="Looking…">
        {null}
      </CentredPage>
    );
  }
  if (!visitor.data) {
    return (
      <CentredPage
        title={TITLE}
        description="An account with your email address exists already. Sign in to it the way you did until now; then you can link the two."
      >
        <Button component="a" href="/login?redirect=%2Flink-account">
          Sign in
        </Button>
      </CentredPage>
    );
  }
  return <Question token={token} me={visitor.data} />;
}

async function readVisitor(): Promise<Me | null> {
  try {
    return await api.get<Me>('/me');
  } catch (error) {
    if (isProblem(error) && error.status === 401) {
      return null;
    }
    throw error;
  }
}

function Question({ token, me }: { token: string; me: Me }) {
  const router = useRouter();
  const { guarded, dialog } = useStepUp();
  const preview = useQuery({
    queryKey: ['link', token],
    queryFn: () => api.post<LinkPreview>('/me/external-identities/preview', { token }),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  });
  const link = useMutation({
    mutationFn: () => guarded(() => api.post<void>('/me/external-identities', { token })),
    onSuccess: () => {
      forgetLinkToken();
      return router.navigate({ to: '/hosts', search: {} });
    },
  });
  const leave = () => {
    forgetLinkToken();
    return router.navigate({ to: '/hosts', search: {} });
  };
  const problem = link.error ?? preview.error;
  return (
    <CentredPage title={TITLE} description={`You are signed in as ${me.user.email}.`}>
      <Stack gap="md">
        {problem && <Banner tone="bad">{errorText(problem)}</Banner>}
        {preview.data && (
          <>
            <div>
              <bdi>{preview.data.name}</bdi>, known to{' '}
              {PROVIDERS[preview.data.provider] ?? 'a provider'}, will be able to sign in as you. Go
              on only if you started this a moment ago.
            </div>
            <Button loading={link.isPending} onClick={() => link.mutate()}>
              Link
            </Button>
          </>
        )}
        <Button variant="default" onClick={leave}>
          Do not link
        </Button>
      </Stack>
      {dialog}
    </CentredPage>
  );
}
