import { Button, Group, Modal, Stack } from '@mantine/core';
import { Banner } from '@/ui/Banner';
import { Copyable } from '@/ui/Copyable';

interface RecoveryCodesDialogProps {
  /** Shown as long as there are some. */
  codes: readonly string[] | undefined;
  onClose: () => void;
}

/** Recovery codes, this one time. */
export function RecoveryCodesDialog({ codes, onClose }: RecoveryCodesDialogProps) {
  return (
    <Modal
      opened={codes !== undefined}
      onClose={onClose}
      title="Recovery codes"
      // They are gone after this; a stray click beside the dialog must not close it.
      closeOnClickOutside={false}
      closeOnEscape={false}
      withCloseButton={false}
    >
      {codes && (
        <Stack gap="md">
          <Banner tone="info">
            Keep these codes where you find them without your phone. Each signs you in once, and
            they are not shown again.
          </Banner>
          <Copyable text={codes.join('\n')} label="recovery codes" display="block" />
          <Group justify="flex-end">
            <Button onClick={onClose} data-autofocus>
              I have kept them
            </Button>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}
