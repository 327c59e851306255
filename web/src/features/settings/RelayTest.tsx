import { Button, Group, Stack, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { isProblem } from '@/api/problem';
import { useMe } from '@/api/session';
import type { SmtpTest } from '@/api/settings';
import { TargetOffer } from '@/features/internal-targets';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { StatusBadge } from '@/ui/StatusBadge';
import { useSmtpTest } from './api';
import classes from './RelayTest.module.css';

const STEPS: Record<string, string> = {
  resolve: 'Address found and allowed',
  connect: 'Connected',
  tls: 'Secured',
  auth: 'Signed in',
  accepted: 'Mail accepted',
};

/** Sends a mail through the relay as the form shows it, saved or not. */
export function RelayTest({ draft }: { draft: Record<string, unknown> }) {
  const [recipient, setRecipient] = useState(useMe()?.user.email ?? '');
  const test = useSmtpTest();
  const { password, enabled: _, ...settings } = draft;
  const send = () =>
    test.mutate({
      recipient,
      settings,
      ...(typeof password === 'string' ? { password } : {}),
    });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    send();
  };
  const messages = isProblem(test.error) ? test.error.fieldMessages() : {};
  return (
    <Panel title="Test">
      <form onSubmit={submit} noValidate>
        <Stack gap="sm">
          <Group align="flex-end" gap="xs">
            <TextInput
              label="Recipient"
              type="email"
              className={classes.recipient}
              value={recipient}
              error={messages.recipient}
              onChange={(event) => setRecipient(event.currentTarget.value)}
            />
            <Button type="submit" variant="default" loading={test.isPending}>
              Send a test mail
            </Button>
          </Group>
          {test.isError && !messages.recipient && (
            <Banner tone="bad">{errorText(test.error)}</Banner>
          )}
          {test.data && <TestLog test={test.data} onRetry={send} />}
        </Stack>
      </form>
    </Panel>
  );
}

function TestLog({ test, onRetry }: { test: SmtpTest; onRetry: () => void }) {
  return (
    <>
      <ol className={classes.steps} aria-label="Steps of the test">
        {test.steps.map((step) => (
          <li key={step.step}>
            <StatusBadge tone={step.ok ? 'ok' : 'bad'} label={STEPS[step.step] ?? step.step} />
            <bdi className={classes.detail}>{step.detail}</bdi>
          </li>
        ))}
      </ol>
      {test.needs_target && <TargetOffer host={test.needs_target} onAdded={onRetry} />}
    </>
  );
}
