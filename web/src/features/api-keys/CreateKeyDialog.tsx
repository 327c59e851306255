import { Button, Group, Modal, Stack } from '@mantine/core';
import type { CreatedApiKey } from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { Copyable } from '@/ui/Copyable';
import { type KeyKind, useCreateKey } from './api';
import { KeyForm } from './KeyForm';

interface CreateKeyDialogProps {
  kind: KeyKind;
  opened: boolean;
  onClose: () => void;
}

/** Asks what the key may do, then shows its secret this one time. */
export function CreateKeyDialog({ kind, opened, onClose }: CreateKeyDialogProps) {
  const create = useCreateKey(kind);
  const close = () => {
    create.reset();
    onClose();
  };
  const created = create.data;
  return (
    <Modal
      opened={opened}
      onClose={close}
      size="lg"
      title={created ? 'Key created' : 'Create key'}
      // The secret is gone after this; a stray click beside the dialog must not close it.
      closeOnClickOutside={!created}
      closeOnEscape={!created}
    >
      {created ? (
        <CreatedKeyView created={created} onDone={close} />
      ) : (
        <KeyForm
          kind={kind}
          pending={create.isPending}
          error={create.error}
          onSubmit={(request) => create.mutate(request)}
          onCancel={close}
        />
      )}
    </Modal>
  );
}

function CreatedKeyView({ created, onDone }: { created: CreatedApiKey; onDone: () => void }) {
  const command = `curl -H "Authorization: Bearer ${created.secret}" ${window.location.origin}/api/v1/me`;
  return (
    <Stack gap="md">
      <Banner tone="info">
        The secret is shown once. Copy it now; later only its last characters can be seen.
      </Banner>
      <section aria-label="Secret">
        <Copyable text={created.secret} label="secret" display="block" />
      </section>
      <section aria-label="Example">
        <Copyable text={command} label="example" display="block" />
      </section>
      <Group justify="flex-end">
        <Button onClick={onDone}>Done</Button>
      </Group>
    </Stack>
  );
}
