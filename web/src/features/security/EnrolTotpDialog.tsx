import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { isProblem } from '@/api/problem';
import type { RecoveryCodes, TotpEnrolment } from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { Copyable } from '@/ui/Copyable';
import { errorText } from '@/ui/Notice';
import { useConfirmTotp } from './api';

interface EnrolTotpDialogProps {
  /** Shown as long as there is one. */
  enrolment: TotpEnrolment | undefined;
  guarded: <T>(action: () => Promise<T>) => Promise<T>;
  onEnrolled: (codes: RecoveryCodes) => void;
  onClose: () => void;
}

/** Hands the seed to the app and waits for its first code. */
export function EnrolTotpDialog(props: EnrolTotpDialogProps) {
  const { enrolment, guarded, onEnrolled, onClose } = props;
  const [code, setCode] = useState('');
  const confirm = useConfirmTotp(guarded);
  const close = () => {
    setCode('');
    confirm.reset();
    onClose();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    confirm.mutate(code, {
      onSuccess: (codes) => {
        setCode('');
        onEnrolled(codes);
      },
    });
  };
  return (
    <Modal
      opened={enrolment !== undefined && !confirm.isSuccess}
      onClose={close}
      title="Set up an authenticator app"
      closeOnClickOutside={false}
    >
      {enrolment && (
        <form onSubmit={submit}>
          <Stack gap="md">
            <Text size="sm">Scan the picture with the app, or type the secret into it.</Text>
            <img
              src={`data:image/svg+xml;utf8,${encodeURIComponent(enrolment.qr_svg)}`}
              alt="QR code of the secret"
              width={208}
              height={208}
            />
            <Copyable text={enrolment.secret} label="secret" display="block" />
            {confirm.error && <Banner tone="bad">{codeText(confirm.error)}</Banner>}
            <TextInput
              label="Code the app shows now"
              description="Six digits"
              inputMode="numeric"
              autoComplete="one-time-code"
              data-autofocus
              value={code}
              onChange={(event) => setCode(event.currentTarget.value)}
            />
            <Group justify="flex-end" gap="xs">
              <Button variant="default" onClick={close}>
                Cancel
              </Button>
              <Button type="submit" disabled={code.trim() === ''} loading={confirm.isPending}>
                Turn on
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}

function codeText(error: unknown): string {
  return isProblem(error, 'invalid_code')
    ? 'This code is not right. Wait for the next one, and check the clock of your phone.'
    : errorText(error);
}
