import { Button, Group, Stack } from '@mantine/core';
import type { CreatedToken } from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { Copyable } from '@/ui/Copyable';
import classes from './CreatedTokenView.module.css';

interface CreatedTokenViewProps {
  created: CreatedToken;
  onDone: () => void;
}

export function CreatedTokenView({ created, onDone }: CreatedTokenViewProps) {
  return (
    <Stack gap="md">
      <Banner tone="info">
        The secret is shown once. Copy it or the command now; later only its first and last
        characters can be seen.
      </Banner>
      {created.warnings.map((warning) => (
        <Banner key={warning.code}>{warning.message}</Banner>
      ))}
      <section aria-label="Install command">
        <h3 className={classes.heading}>Run this on the machine</h3>
        <Copyable text={created.install_command} label="install command" display="block" />
        <p className={classes.hint}>
          The agent connects to <bdi>{created.ingest_address}</bdi>.{' '}
          {created.token.auto_approve
            ? 'Its host appears on the hosts page by itself.'
            : 'It then waits for approval on the hosts page.'}
        </p>
      </section>
      <section aria-label="Secret">
        <h3 className={classes.heading}>Secret</h3>
        <Copyable text={created.secret} label="secret" display="block" />
      </section>
      <Group justify="flex-end">
        <Button onClick={onDone}>Done</Button>
      </Group>
    </Stack>
  );
}
