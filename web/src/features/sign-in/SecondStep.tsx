import { Anchor, Button, Stack, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { KeyRound } from 'lucide-react';
import { useEffect, useState } from 'react';
import { api } from '@/api/client';
import { passkeysSupported, signWithPasskey } from '@/api/passkeys';
import { isProblem } from '@/api/problem';
import type {
  PasskeyChallenge,
  SecondFactorMethod,
  SignInAnswer,
  SecondStep as Step,
} from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';

interface SecondStepProps {
  onAnswer: (answer: SignInAnswer) => void;
  onBeginAnew: (why: 'ended' | 'chosen') => void;
}

type CodeKind = 'code' | 'recovery_code';

async function withPasskey(): Promise<SignInAnswer> {
  const challenge = await api.post<PasskeyChallenge>('/auth/mfa/passkey/options');
  return api.post<SignInAnswer>('/auth/mfa/passkey', await signWithPasskey(challenge));
}

/** A code of the authenticator app, a recovery code or a passkey. */
export function SecondStep({ onAnswer, onBeginAnew }: SecondStepProps) {
  const step = useQuery({
    queryKey: ['auth', 'mfa'],
    queryFn: ({ signal }) => api.get<Step>('/auth/mfa', undefined, signal),
    retry: false,
    gcTime: 0,
  });
  const verify = useMutation({
    mutationFn: (body: Partial<Record<CodeKind, string>>) =>
      api.post<SignInAnswer>('/auth/mfa/verify', body),
    onSuccess: onAnswer,
  });
  const passkey = useMutation({ mutationFn: withPasskey, onSuccess: onAnswer });
  const error = step.error ?? verify.error ?? passkey.error;
  const ended = isProblem(error, 'sign_in_expired');
  useEffect(() => {
    if (ended) {
      onBeginAnew('ended');
    }
  }, [ended, onBeginAnew]);
  const methods: SecondFactorMethod[] = step.data?.methods ?? [];
  const codes = methods.includes('totp') || methods.includes('recovery_code');
  return (
    <Stack gap="sm">
      {error && !ended && <Banner tone="bad">{secondStepText(error)}</Banner>}
      {methods.includes('passkey') && passkeysSupported() && (
        <Button
          variant={codes ? 'default' : 'filled'}
          leftSection={<KeyRound size={16} aria-hidden="true" />}
          loading={passkey.isPending}
          onClick={() => {
            verify.reset();
            passkey.mutate();
          }}
        >
          Use a passkey
        </Button>
      )}
      {codes && (
        <CodeForm
          methods={methods}
          pending={verify.isPending}
          onSubmit={(body) => {
            passkey.reset();
            verify.mutate(body);
          }}
        />
      )}
      <Anchor component="button" type="button" size="sm" onClick={() => onBeginAnew('chosen')}>
        Sign in as somebody else
      </Anchor>
    </Stack>
  );
}

interface CodeFormProps {
  methods: SecondFactorMethod[];
  pending: boolean;
  onSubmit: (body: Partial<Record<CodeKind, string>>) => void;
}

function CodeForm({ methods, pending, onSubmit }: CodeFormProps) {
  const [kind, setKind] = useState<CodeKind>(methods.includes('totp') ? 'code' : 'recovery_code');
  const [text, setText] = useState('');
  const [missing, setMissing] = useState(false);
  const byApp = kind === 'code';
  const turn = () => {
    setKind(byApp ? 'recovery_code' : 'code');
    setText('');
    setMissing(false);
  };
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        setMissing(text.trim() === '');
        if (text.trim() !== '') {
          onSubmit({ [kind]: text.trim() });
          setText('');
        }
      }}
    >
      <Stack gap="sm">
        <TextInput
          label={byApp ? 'Code of your authenticator app' : 'Recovery code'}
          description={byApp ? 'Six digits' : 'One of the ten you wrote down; each works once'}
          inputMode={byApp ? 'numeric' : 'text'}
          autoComplete="one-time-code"
          autoFocus
          value={text}
          error={missing ? 'Enter the code.' : undefined}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        <Button type="submit" loading={pending}>
          Continue
        </Button>
        {methods.includes('totp') && methods.includes('recovery_code') && (
          <Anchor component="button" type="button" size="sm" onClick={turn}>
            {byApp ? 'Use a recovery code' : 'Use the authenticator app'}
          </Anchor>
        )}
      </Stack>
    </form>
  );
}

function secondStepText(error: unknown): string {
  if (isProblem(error, 'invalid_code')) {
    return 'This code is not right, or it was used before. Wait for the next one.';
  }
  return errorText(error);
}
