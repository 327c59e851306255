import { Anchor, Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { isProblem } from '@/api/problem';
import type { LoginRequest } from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { useResendVerification } from './api';

/** Beside the refusal of a sign-in: sends the link again with what was typed a moment ago (auth 8). */
export function ResendAction({ credentials }: { credentials: LoginRequest | undefined }) {
  const resend = useResendVerification();
  if (resend.isSuccess) {
    return <Banner tone="info">A new link is on its way to your email address.</Banner>;
  }
  if (!credentials) {
    return (
      <Anchor component={Link} to="/resend-verification" size="sm">
        Send the link again
      </Anchor>
    );
  }
  return (
    <>
      {resend.isError && <Banner tone="bad">{resendText(resend.error)}</Banner>}
      <Button
        variant="default"
        loading={resend.isPending}
        onClick={() => resend.mutate({ email: credentials.email, password: credentials.password })}
      >
        Send the link again
      </Button>
    </>
  );
}

/** Three links a minute for one address: said as what it is, because people press twice. */
export function resendText(error: unknown): string {
  return isProblem(error, 'rate_limited')
    ? `${errorText(error)} Look into your mail.`
    : errorText(error);
}
