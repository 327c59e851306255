import { Button, Stack } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useLocation, useRouter } from '@tanstack/react-router';
import type { InvitationLook, Me } from '@/api/schema';
import { rememberSignIn } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { CentredPage } from '@/ui/CentredPage';
import { errorText } from '@/ui/Notice';
import { AcceptForm } from './AcceptForm';
import { useAccept, useGoTo, useInvitation, useVisitor } from './api';

/** Where an invited person decides: with a new account, or with the one they have. */
export function InvitationPage() {
  const token = useLocation({ select: (location) => location.hash });
  const look = useInvitation(token);
  const visitor = useVisitor();
  if (token === '' || look.isError) {
    return (
      <CentredPage title="Invitation">
        <Banner tone="bad">
          {token === ''
            ? 'This link is not complete. Copy the whole of it.'
            : errorText(look.error)}
        </Banner>
      </CentredPage>
    );
  }
  if (!look.data || visitor.isPending) {
    return (
      <CentredPage title="Invitation" description="Looking at the invitation…">
        {null}
      </CentredPage>
    );
  }
  return <Decision token={token} look={look.data} visitor={visitor.data ?? null} />;
}

interface DecisionProps {
  token: string;
  look: InvitationLook;
  visitor: Me | null;
}

function Decision({ token, look, visitor }: DecisionProps) {
  const client = useQueryClient();
  const router = useRouter();
  const accept = useAccept();
  const goTo = useGoTo();
  const enter = (me?: Me) => {
    client.clear();
    if (me) {
      rememberSignIn(client, me);
    }
    return router.navigate({ to: '/hosts', search: {} });
  };
  const submit = (
    account: { name: string; password: string; password_confirmation: string } | null,
  ) =>
    accept.mutate(
      { token, ...account },
      {
        onSuccess: async (answer) => {
          if (answer.status === 'joined') {
            await goTo.mutateAsync(answer.organisation_id);
            await enter();
          } else if (answer.status === 'signed_in') {
            await enter(answer.me);
          }
        },
      },
    );
  const invitedBy = look.invited_by ? ` by ${look.invited_by}` : '';
  return (
    <CentredPage
      title={`Join ${look.organisation}`}
      description={`${look.email} was invited${invitedBy}.`}
    >
      {accept.data?.status === 'verify_email' ? (
        <Banner tone="info">
          Your account is made. Verify your email address with the link that was sent to it, then
          sign in.
        </Banner>
      ) : (
        <Ways
          look={look}
          visitor={visitor}
          pending={accept.isPending || goTo.isPending}
          error={accept.error ?? goTo.error}
          onSubmit={submit}
        />
      )}
    </CentredPage>
  );
}

interface WaysProps {
  look: InvitationLook;
  visitor: Me | null;
  pending: boolean;
  error: unknown;
  onSubmit: (
    account: { name: string; password: string; password_confirmation: string } | null,
  ) => void;
}

/** The way to accept that fits who looks at the page. */
function Ways({ look, visitor, pending, error, onSubmit }: WaysProps) {
  if (visitor) {
    const same = visitor.user.email.toLowerCase() === look.email.toLowerCase();
    return (
      <Stack gap="md">
        {Boolean(error) && <Banner tone="bad">{errorText(error)}</Banner>}
        {same ? (
          <Button loading={pending} onClick={() => onSubmit(null)}>
            Join as {visitor.user.name}
          </Button>
        ) : (
          <Banner tone="warn">
            You are signed in as {visitor.user.email}. Sign out, then open the link again.
          </Banner>
        )}
      </Stack>
    );
  }
  if (look.has_account) {
    return (
      <Stack gap="md">
        <div>You have an account. Sign in to it, then open the link again.</div>
        <Button component="a" href="/login">
          Sign in
        </Button>
      </Stack>
    );
  }
  return <AcceptForm email={look.email} pending={pending} error={error} onSubmit={onSubmit} />;
}
