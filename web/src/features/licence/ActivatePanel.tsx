import { Button, Group, Stack, Textarea } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { type FormEvent, useState } from 'react';
import type { Licence } from '@/api/licence';
import { isProblem } from '@/api/problem';
import { Banner } from '@/ui/Banner';
import { Copyable } from '@/ui/Copyable';
import { errorText } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { TimeAgo } from '@/ui/TimeAgo';
import { useActivate, useMakeToken } from './api';
import { adviceFor } from './words';

const LONGEST_KEY = 16 * 1024;

/** From token to key: everything can travel by hand between networks. */
export function ActivatePanel({ licence }: { licence: Licence }) {
  return (
    <Panel title="Activate a licence">
      {licence.can_activate ? (
        <Stack gap="lg">
          <TokenStep />
          <KeyStep />
        </Stack>
      ) : (
        <Banner>
          This server has no key to verify licences with. Set LICENCE_PUBLIC_KEY_PATH or
          LICENCE_PUBLIC_KEY and start it again.
        </Banner>
      )}
    </Panel>
  );
}

function TokenStep() {
  const make = useMakeToken();
  const token = make.data?.token;
  return (
    <Stack gap="xs">
      <span>1. Generate an activation token and send it to the issuer. It is not secret.</span>
      <Group gap="xs">
        <Button variant="default" loading={make.isPending} onClick={() => make.mutate()}>
          Generate activation token
        </Button>
        {token && (
          <Button
            variant="default"
            component="a"
            href={`data:text/plain;charset=utf-8,${encodeURIComponent(token)}`}
            download="ct-ops-activation-token.txt"
          >
            Download
          </Button>
        )}
      </Group>
      {token && (
        <>
          <Copyable text={token} label="activation token" display="block" />
          <span>
            The issuer takes it for 30 days: ends <TimeAgo at={make.data?.expires_at} kind="any" />.
          </span>
        </>
      )}
      {make.isError && <Banner tone="bad">{errorText(make.error)}</Banner>}
    </Stack>
  );
}

function KeyStep() {
  const activate = useActivate();
  const [key, setKey] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    activate.mutate(key, {
      onSuccess: () => {
        setKey('');
        notifications.show({ message: 'Licence activated' });
      },
    });
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="xs">
        <Textarea
          label="2. Paste the licence key"
          value={key}
          onChange={(event) => {
            activate.reset();
            setKey(event.currentTarget.value);
          }}
          error={activate.isError && refusalText(activate.error)}
          rows={4}
          maxLength={LONGEST_KEY}
          spellCheck={false}
          autoComplete="off"
        />
        <Group>
          <Button type="submit" loading={activate.isPending} disabled={key.trim() === ''}>
            Activate
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function refusalText(error: unknown): string {
  return (isProblem(error) ? adviceFor(error.code) : undefined) ?? errorText(error);
}
