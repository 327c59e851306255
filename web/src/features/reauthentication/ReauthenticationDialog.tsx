import { Button, Group, Modal, PasswordInput, Stack, Text } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useLocation } from '@tanstack/react-router';
import { KeyRound } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { api } from '@/api/client';
import { passkeysSupported, signWithPasskey } from '@/api/passkeys';
import { isProblem } from '@/api/problem';
import type { PasskeyChallenge, Reauthentication } from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { Loadable } from '@/ui/Loadable';
import { errorText, Notice } from '@/ui/Notice';

interface ReauthenticationDialogProps {
  opened: boolean;
  onConfirmed: () => void;
  onClose: () => void;
}

/** Asks who sits there to prove that it is still them; it counts for five minutes. */
export function ReauthenticationDialog(props: ReauthenticationDialogProps) {
  const { opened, onConfirmed, onClose } = props;
  const ways = useQuery({
    queryKey: ['me', 'reauthentication'],
    queryFn: ({ signal }) => api.get<Reauthentication>('/me/reauthentication', undefined, signal),
    enabled: opened,
    staleTime: 0,
  });
  return (
    <Modal opened={opened} onClose={onClose} title="Confirm that it is you">
      <Loadable
        query={ways}
        loading={<Text>Loading…</Text>}
        empty={
          <Notice title="There is no way to confirm here">Sign out and in again instead.</Notice>
        }
        isEmpty={(data) => !data.password && !data.passkey && !data.redirect}
      >
        {(data) => <Ways ways={data} onConfirmed={onConfirmed} onClose={onClose} />}
      </Loadable>
    </Modal>
  );
}

async function byPasskey(): Promise<void> {
  const challenge = await api.post<PasskeyChallenge>('/me/reauthenticate/passkey/options');
  await api.post<void>('/me/reauthenticate/passkey', await signWithPasskey(challenge));
}

interface WaysProps {
  ways: Reauthentication;
  onConfirmed: () => void;
  onClose: () => void;
}

function Ways({ ways, onConfirmed, onClose }: WaysProps) {
  const [password, setPassword] = useState('');
  // Without what stands behind the hash sign: that can be a secret of the page.
  const here = useLocation({ select: ({ pathname, searchStr }) => pathname + searchStr });
  const check = useMutation({
    mutationFn: (typed: string) => api.post<void>('/me/reauthenticate', { password: typed }),
    onSuccess: onConfirmed,
    onError: () => setPassword(''),
  });
  const passkey = useMutation({ mutationFn: byPasskey, onSuccess: onConfirmed });
  const error = check.error ?? passkey.error;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    passkey.reset();
    check.mutate(password);
  };
  return (
    <Stack gap="md">
      <Text size="sm">
        What you are about to do needs a confirmation. It counts for five minutes.
      </Text>
      {error && <Banner tone="bad">{confirmText(error)}</Banner>}
      {ways.password && (
        <form onSubmit={submit}>
          <Stack gap="sm">
            <PasswordInput
              label="Your password"
              autoComplete="current-password"
              data-autofocus
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
            />
            <Button type="submit" disabled={password === ''} loading={check.isPending}>
              Confirm
            </Button>
          </Stack>
        </form>
      )}
      {ways.passkey && passkeysSupported() && (
        <Button
          variant="default"
          leftSection={<KeyRound size={16} aria-hidden="true" />}
          loading={passkey.isPending}
          onClick={() => {
            check.reset();
            passkey.mutate();
          }}
        >
          Confirm with a passkey
        </Button>
      )}
      {ways.redirect && (
        <Button component="a" variant="default" href={comingBack(ways.redirect, here)}>
          Sign in again at your identity provider
        </Button>
      )}
      <Group justify="flex-end">
        <Button variant="subtle" onClick={onClose}>
          Cancel
        </Button>
      </Group>
    </Stack>
  );
}

/** The round trip with the page to come back to, where the action is begun again. */
function comingBack(roundTrip: string, here: string): string {
  return `${roundTrip}&${new URLSearchParams({ return_to: here })}`;
}

function confirmText(error: unknown): string {
  return isProblem(error, 'invalid_credentials') ? 'The password is wrong.' : errorText(error);
}
