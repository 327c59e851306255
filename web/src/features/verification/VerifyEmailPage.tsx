import { Anchor, Button } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { Link, useLocation, useRouter } from '@tanstack/react-router';
import { isProblem } from '@/api/problem';
import type { VerifyAnswer } from '@/api/schema';
import { hadSession, localPath, rememberSignIn } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { CentredPage } from '@/ui/CentredPage';
import { errorText } from '@/ui/Notice';
import { verifyEmailRoute } from '.';
import { useVerifyEmail } from './api';

const TITLE = 'Verify your email address';

/**
 * Where the link of the letter leads (auth 7). It asks before it uses the link up, because mail
 * gateways open the links of letters, too.
 */
export function VerifyEmailPage() {
  const token = useLocation({ select: (location) => location.hash });
  const { redirect } = verifyEmailRoute.useSearch();
  const client = useQueryClient();
  const router = useRouter();
  const verify = useVerifyEmail();
  const spent =
    isProblem(verify.error) && verify.error.fields.some((field) => field.code === 'invalid_token');
  if (token === '' || spent) {
    return (
      <CentredPage title={TITLE}>
        <Banner tone="bad">
          {spent
            ? 'This link is unknown, used or too old.'
            : 'This link is not complete. Copy the whole of it.'}
        </Banner>
        <Anchor component={Link} to="/resend-verification" size="sm">
          Ask for a new link
        </Anchor>
        <Anchor component={Link} to="/login" size="sm">
          Back to sign-in
        </Anchor>
      </CentredPage>
    );
  }
  const goOn = (answer: VerifyAnswer) => {
    if (answer.status === 'signed_in') {
      client.clear();
      rememberSignIn(client, answer.me);
      router.history.replace(localPath(redirect));
    } else if (answer.status === 'second_factor') {
      const search = new URLSearchParams({ step: 'second_factor', redirect: localPath(redirect) });
      router.history.replace(`/login?${search}`);
    }
  };
  if (verify.data?.status === 'verified') {
    return <Verified email={verify.data.email} redirect={redirect} />;
  }
  return (
    <CentredPage
      title={TITLE}
      description="It takes one press, so that no machine does it for you."
    >
      {verify.isError && <Banner tone="bad">{errorText(verify.error)}</Banner>}
      <Button
        autoFocus
        loading={verify.isPending}
        onClick={() => verify.mutate(token, { onSuccess: goOn })}
      >
        Verify
      </Button>
      <Anchor component={Link} to="/login" size="sm">
        Back to sign-in
      </Anchor>
    </CentredPage>
  );
}

function Verified({ email, redirect }: { email: string; redirect: string | undefined }) {
  const here = hadSession();
  return (
    <CentredPage title="Email address verified">
      <Banner tone="info">
        <bdi>{email}</bdi> is the verified address of your account.
      </Banner>
      <Button component="a" href={here ? localPath(redirect) : '/login'}>
        {here ? 'Go on' : 'Sign in'}
      </Button>
    </CentredPage>
  );
}
