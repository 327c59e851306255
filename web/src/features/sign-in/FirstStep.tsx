import { Anchor, Button, Divider, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { KeyRound } from 'lucide-react';
import { api } from '@/api/client';
import { passkeysSupported, signWithPasskey } from '@/api/passkeys';
import { isProblem } from '@/api/problem';
import type { LoginRequest, PasskeyChallenge, SignInAnswer } from '@/api/schema';
import { methodsQuery } from '@/api/session';
import { ResendAction } from '@/features/verification';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';

interface FirstStepProps {
  notice: keyof typeof NOTICES | undefined;
  onAnswer: (answer: SignInAnswer) => void;
}

const NOTICES = {
  session_ended: 'Your session has ended. Sign in again to continue.',
  step_ended: 'That took too long, or there were too many wrong codes. Sign in again.',
  password_reset: 'Your new password is set. Sign in with it.',
};

async function withPasskey(): Promise<SignInAnswer> {
  const challenge = await api.post<PasskeyChallenge>('/auth/passkey/options');
  return api.post<SignInAnswer>('/auth/passkey', await signWithPasskey(challenge));
}

/** Email and password, or a passkey. */
export function FirstStep({ notice, onAnswer }: FirstStepProps) {
  const form = useForm<LoginRequest>({
    initialValues: { email: '', password: '' },
    validate: {
      email: (value) => (value.includes('@') ? null : 'Enter your email address.'),
      password: (value) => (value === '' ? 'Enter your password.' : null),
    },
  });
  const passkey = useMutation({ mutationFn: withPasskey, onSuccess: onAnswer });
  const signIn = useMutation({
    mutationFn: (credentials: LoginRequest) => api.post<SignInAnswer>('/auth/login', credentials),
    onMutate: () => passkey.reset(),
    onSuccess: onAnswer,
    onError: () => form.setFieldValue('password', ''),
  });
  const error = signIn.error ?? passkey.error;
  const offered = useQuery(methodsQuery).data;
  return (
    <>
      {notice && !error && <Banner tone="info">{NOTICES[notice]}</Banner>}
      {error && <Banner tone="bad">{signInText(error)}</Banner>}
      {isProblem(error, 'email_not_verified') && <ResendAction credentials={signIn.variables} />}
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
      {offered?.password_reset_offered && (
        <Anchor component={Link} to="/forgot-password" size="sm">
          Forgotten your password?
        </Anchor>
      )}
      {offered?.registration_open && (
        <Anchor component={Link} to="/register" size="sm">
          Create an account
        </Anchor>
      )}
      {passkeysSupported() && (
        <Stack gap="sm">
          <Divider label="or" />
          <Button
            variant="default"
            leftSection={<KeyRound size={16} aria-hidden="true" />}
            loading={passkey.isPending}
            onClick={() => {
              signIn.reset();
              passkey.mutate();
            }}
          >
            Sign in with a passkey
          </Button>
        </Stack>
      )}
    </>
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
