import { Anchor, Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { Link } from '@tanstack/react-router';
import { isProblem } from '@/api/problem';
import { Banner } from '@/ui/Banner';
import { CentredPage } from '@/ui/CentredPage';
import { useResendVerification } from './api';
import { resendText } from './ResendAction';

/** Asks for the link that verifies an address once more. What it says does not depend on the account. */
export function ResendPage() {
  const resend = useResendVerification();
  const form = useForm({
    initialValues: { email: '', password: '' },
    validate: {
      email: (value) => (value.includes('@') ? null : 'Enter your email address.'),
      password: (value) => (value === '' ? 'Enter your password.' : null),
    },
  });
  const refused = isProblem(resend.error) ? resend.error.fieldMessages() : {};
  return (
    <CentredPage
      title="Verify your email address"
      description="A link to your address proves that you read its mail. It works once, within 24 hours."
    >
      {resend.isSuccess ? (
        <Banner tone="info">
          If an account with this address and password waits for its verification, a new link is on
          its way.
        </Banner>
      ) : (
        <form
          noValidate
          onSubmit={form.onSubmit(({ email, password }) =>
            resend.mutate({ email: email.trim(), password }),
          )}
        >
          <Stack gap="sm">
            {resend.isError && Object.keys(refused).length === 0 && (
              <Banner tone="bad">{resendText(resend.error)}</Banner>
            )}
            <TextInput
              label="Email"
              type="email"
              autoComplete="username"
              autoFocus
              {...form.getInputProps('email')}
              error={form.errors.email ?? refused.email}
            />
            <PasswordInput
              label="Password"
              autoComplete="current-password"
              {...form.getInputProps('password')}
              error={form.errors.password ?? refused.password}
            />
            <Button type="submit" loading={resend.isPending} mt="xs">
              Send the link again
            </Button>
          </Stack>
        </form>
      )}
      <Anchor component={Link} to="/login" size="sm">
        Back to sign-in
      </Anchor>
    </CentredPage>
  );
}
