import {
  Button,
  Group,
  Modal,
  NativeSelect,
  PasswordInput,
  Stack,
  Switch,
  TextInput,
} from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { isProblem } from '@/api/problem';
import type { AuditForwarder } from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { useSaveForwarder } from './api';
import { FORWARDER_CHOICES } from './words';

interface ForwarderDialogProps {
  /** The one to change; none for a new one. */
  forwarder: AuditForwarder | undefined;
  onClose: () => void;
}

export function ForwarderDialog({ forwarder, onClose }: ForwarderDialogProps) {
  const save = useSaveForwarder();
  const [name, setName] = useState(forwarder?.name ?? '');
  const [kind, setKind] = useState(forwarder?.kind ?? 'syslog_tls');
  const [endpoint, setEndpoint] = useState(forwarder?.endpoint ?? '');
  const [secret, setSecret] = useState('');
  const [enabled, setEnabled] = useState(forwarder?.enabled ?? true);
  const wrong = isProblem(save.error) ? save.error.fieldMessages() : {};
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const input = { name, kind, endpoint, enabled, secret: secret === '' ? null : secret };
    save.mutate({ id: forwarder?.id, input }, { onSuccess: onClose });
  };
  const isWebhook = kind === 'webhook';
  return (
    <Modal opened onClose={onClose} title={forwarder ? 'Change forwarder' : 'Add forwarder'}>
      <form onSubmit={submit}>
        <Stack gap="md">
          <TextInput
            label="Name"
            required
            maxLength={100}
            data-autofocus
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            error={wrong.name}
          />
          <NativeSelect
            label="Kind"
            data={FORWARDER_CHOICES}
            value={kind}
            onChange={(event) => setKind(event.currentTarget.value)}
            error={wrong.kind}
          />
          <TextInput
            label={isWebhook ? 'Address' : 'Host and port'}
            placeholder={isWebhook ? 'https://siem.example.com/audit' : 'logs.example.com:6514'}
            required
            value={endpoint}
            onChange={(event) => setEndpoint(event.currentTarget.value)}
            error={wrong.endpoint}
          />
          {isWebhook && (
            <PasswordInput
              label="Secret for signatures"
              description={
                forwarder?.has_secret
                  ? 'Leave empty to keep the present one.'
                  : '16 characters or more.'
              }
              autoComplete="new-password"
              value={secret}
              onChange={(event) => setSecret(event.currentTarget.value)}
              error={wrong.secret}
            />
          )}
          <Switch
            label="Send events"
            checked={enabled}
            onChange={(event) => setEnabled(event.currentTarget.checked)}
          />
          {save.error && Object.keys(wrong).length === 0 && (
            <Banner tone="bad">{errorText(save.error)}</Banner>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending}>
              Save forwarder
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
