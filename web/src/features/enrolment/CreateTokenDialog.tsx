import { Modal } from '@mantine/core';
import { useCreateToken } from './api';
import { CreatedTokenView } from './CreatedTokenView';
import { TokenForm } from './TokenForm';

interface CreateTokenDialogProps {
  opened: boolean;
  onClose: () => void;
}

/** Asks what the token may do, then shows its secret this one time. */
export function CreateTokenDialog({ opened, onClose }: CreateTokenDialogProps) {
  const create = useCreateToken();
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
      title={created ? 'Token created' : 'Create enrolment token'}
      // The secret is gone after this; a stray click beside the dialog must not close it.
      closeOnClickOutside={!created}
      closeOnEscape={!created}
    >
      {created ? (
        <CreatedTokenView created={created} onDone={close} />
      ) : (
        <TokenForm
          pending={create.isPending}
          error={create.error}
          onSubmit={(request) => create.mutate(request)}
          onCancel={close}
        />
      )}
    </Modal>
  );
}
