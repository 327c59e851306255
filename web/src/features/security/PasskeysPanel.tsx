import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { type FormEvent, useMemo, useState } from 'react';
import { passkeysSupported } from '@/api/passkeys';
import type { Passkey } from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { ConfirmDialog } from '@/ui/ConfirmDialog';
import { type Column, DataTable } from '@/ui/DataTable';
import { Loadable } from '@/ui/Loadable';
import { errorText, Notice } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { TimeAgo } from '@/ui/TimeAgo';
import { useAddPasskey, usePasskeys, useRemovePasskey, useRenamePasskey } from './api';

interface PasskeysPanelProps {
  guarded: <T>(action: () => Promise<T>) => Promise<T>;
}

type Open = { kind: 'add' } | { kind: 'rename'; passkey: Passkey };

/** Passkeys: they sign in without a password and count as both factors. */
export function PasskeysPanel({ guarded }: PasskeysPanelProps) {
  const passkeys = usePasskeys();
  const [open, setOpen] = useState<Open>();
  const [removing, setRemoving] = useState<Passkey>();
  const columns = useMemo(() => columnsWith(setOpen, setRemoving), []);
  const addButton = (
    <Button
      variant="default"
      size="xs"
      disabled={!passkeysSupported()}
      onClick={() => setOpen({ kind: 'add' })}
    >
      Add a passkey
    </Button>
  );
  return (
    <Panel title="Passkeys" aside={addButton} flush>
      <Loadable
        query={passkeys}
        loading={<TableSkeleton rows={2} />}
        empty={
          <Notice title="No passkeys">
            {passkeysSupported()
              ? 'A passkey signs you in with the fingerprint, face or PIN of your device.'
              : 'This browser cannot use passkeys.'}
          </Notice>
        }
        isEmpty={(list) => list.items.length === 0}
      >
        {(list) => (
          <DataTable
            label="Passkeys"
            columns={columns}
            rows={list.items}
            rowKey={(passkey) => passkey.id}
          />
        )}
      </Loadable>
      <NameDialog open={open} guarded={guarded} onClose={() => setOpen(undefined)} />
      <RemoveDialog passkey={removing} guarded={guarded} onClose={() => setRemoving(undefined)} />
    </Panel>
  );
}

function columnsWith(
  onOpen: (open: Open) => void,
  onRemove: (passkey: Passkey) => void,
): Column<Passkey>[] {
  return [
    { id: 'name', header: 'Name', card: 'title', cell: (row) => <bdi>{row.name}</bdi> },
    { id: 'created', header: 'Added', cell: (row) => <TimeAgo at={row.created_at} /> },
    {
      id: 'used',
      header: 'Last used',
      cell: (row) => <TimeAgo at={row.last_used_at} missing="never" />,
    },
    {
      id: 'actions',
      header: 'Actions',
      align: 'end',
      card: 'actions',
      cell: (row) => (
        <Group gap="xs" justify="flex-end">
          <Button
            size="compact-xs"
            variant="default"
            aria-label={`Rename ${row.name}`}
            onClick={() => onOpen({ kind: 'rename', passkey: row })}
          >
            Rename
          </Button>
          <Button
            size="compact-xs"
            variant="default"
            aria-label={`Remove ${row.name}`}
            onClick={() => onRemove(row)}
          >
            Remove
          </Button>
        </Group>
      ),
    },
  ];
}

interface NameDialogProps extends PasskeysPanelProps {
  open: Open | undefined;
  onClose: () => void;
}

/** Asks for the name of a new passkey, or for another one of an old. */
function NameDialog({ open, guarded, onClose }: NameDialogProps) {
  const add = useAddPasskey(guarded);
  const rename = useRenamePasskey();
  const [typed, setTyped] = useState<string>();
  const name = typed ?? (open?.kind === 'rename' ? open.passkey.name : '');
  const error = add.error ?? rename.error;
  const close = () => {
    add.reset();
    rename.reset();
    setTyped(undefined);
    onClose();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (open?.kind === 'rename') {
      rename.mutate({ id: open.passkey.id, name }, { onSuccess: close });
    } else {
      add.mutate(name, { onSuccess: close });
    }
  };
  return (
    <Modal
      opened={open !== undefined}
      onClose={close}
      title={open?.kind === 'rename' ? 'Rename passkey' : 'Add a passkey'}
    >
      <form onSubmit={submit}>
        <Stack gap="md">
          {open?.kind === 'add' && (
            <Text size="sm">Give it the name of the device. Your browser then asks for it.</Text>
          )}
          {error && <Banner tone="bad">{errorText(error)}</Banner>}
          <TextInput
            label="Name"
            maxLength={100}
            data-autofocus
            value={name}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button
              type="submit"
              disabled={name.trim() === ''}
              loading={add.isPending || rename.isPending}
            >
              {open?.kind === 'rename' ? 'Rename' : 'Add'}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

interface RemoveDialogProps extends PasskeysPanelProps {
  passkey: Passkey | undefined;
  onClose: () => void;
}

function RemoveDialog({ passkey, guarded, onClose }: RemoveDialogProps) {
  const remove = useRemovePasskey(guarded);
  const close = () => {
    remove.reset();
    onClose();
  };
  return (
    <ConfirmDialog
      opened={passkey !== undefined}
      title="Remove passkey?"
      confirmLabel="Remove"
      danger
      pending={remove.isPending}
      error={remove.error}
      onConfirm={() => passkey && remove.mutate(passkey.id, { onSuccess: close })}
      onClose={close}
    >
      <bdi>{passkey?.name}</bdi> no longer signs you in. Delete it on the device as well.
    </ConfirmDialog>
  );
}
