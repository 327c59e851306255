import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { api } from '@/api/client';
import { isProblem } from '@/api/problem';
import type { LoginRequest, Me } from '@/api/schema';
import { localPath, rememberSignIn } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { CentredPage } from '@/ui/CentredPage';
import { errorText } from '@/ui/Notice';
import { signInRoute } from '.';

export function SignInPage() {
  const { session, redirect } = signInRoute.useSearch();
  const client = useQueryClient();
  const router = useRouter();
  const signIn = useMutation({
    mutationFn: (credentials: LoginRequest) => api.post<Me>('/auth/login', credentials),
    onSuccess: (me) => {
      rememberSignIn(client, me);
      router.history.push(localPath(redirect));
    },
    onError: () => form.setFieldValue('password', ''),
  });
  const form = useForm<LoginRequest>({
    initialValues: { email: '', password: '' },
    validate: {
      email: (value) => (value.includes('@') ? null : 'Enter your email address.'),
      password: (value) => (value === '' ? 'Enter your password.' : null),
    },
  });
  return (
    <CentredPage title="Sign in">
      {session === 'expired' && !signIn.isError && (
        <Banner tone="info">Your session has ended. Sign in again to continue.</Banner>
      )}
      {signIn.isError && <Banner tone="bad">{signInText(signIn.error)}</Banner>}
      <form noValidate onSubmit={form.onSubmit((values) => signIn.mutate(values))}>
        <Stack gap="sm">
          <TextInput
            label="Email"
            type="email"
            autoComplete="username"
            autoFocus
            {...form.getInputProps('email')}
          />
          <PasswordInput
            label="Password"
            autoComplete="current-password"
            {...form.getInputProps('password')}
          />
          <Button type="submit" loading={signIn.isPending} mt="xs">
            Sign in
          </Button>
        </Stack>
      </form>
    </CentredPage>
  );
}

function signInText(error: unknown): string {
  if (isProblem(error, 'invalid_credentials')) {
    return 'The email address or the password is wrong.';
  }
  if (isProblem(error, 'email_not_verified')) {
    return 'This email address is not verified yet. Use the link in the email that was sent to it.';
  }
  return errorText(error);
}
