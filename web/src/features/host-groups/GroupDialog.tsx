import { Button, Group, Modal, Stack, Textarea, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import type { HostGroup } from '@/api/access';
import { isProblem } from '@/api/problem';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { useGroupAction } from './api';

interface GroupDialogProps {
  opened: boolean;
  /** The group to change; without one a new one is made. */
  group?: HostGroup;
  onClose: () => void;
  onSaved?: (group: HostGroup) => void;
}

const LONGEST_NAME = 255;
const LONGEST_DESCRIPTION = 1000;

/** Asks for name and description of a group. */
export function GroupDialog({ opened, group, onClose, onSaved }: GroupDialogProps) {
  return (
    <Modal opened={opened} onClose={onClose} title={group ? 'Change group' : 'New group'} size="lg">
      <GroupForm group={group} onClose={onClose} onSaved={onSaved} />
    </Modal>
  );
}

function GroupForm({ group, onClose, onSaved }: Omit<GroupDialogProps, 'opened'>) {
  const save = useGroupAction();
  const [name, setName] = useState(group?.name ?? '');
  const [description, setDescription] = useState(group?.description ?? '');
  const [checked, setChecked] = useState(false);
  const fields = isProblem(save.error) ? save.error.fieldMessages() : {};
  const taken = isProblem(save.error, 'already_exists');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (name.trim() === '') {
      return;
    }
    const text = { name: name.trim(), description: description.trim() };
    save.mutate(
      group ? { kind: 'change', id: group.id, change: text } : { kind: 'create', ...text },
      {
        onSuccess: (saved) => {
          onClose();
          if (saved) {
            onSaved?.(saved);
          }
        },
      },
    );
  };
  return (
    <form noValidate onSubmit={submit}>
      <Stack gap="md">
        {save.isError && !taken && Object.keys(fields).length === 0 && (
          <Banner tone="bad">{errorText(save.error)}</Banner>
        )}
        <TextInput
          label="Name"
          data-autofocus
          maxLength={LONGEST_NAME}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={
            (checked && name.trim() === '' && 'Give the group a name.') ||
            (taken && 'Another group has this name.') ||
            fields.name
          }
        />
        <Textarea
          label="Description"
          rows={3}
          resize="vertical"
          maxLength={LONGEST_DESCRIPTION}
          value={description}
          onChange={(event) => setDescription(event.currentTarget.value)}
          error={fields.description}
        />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={save.isPending}>
            {group ? 'Save' : 'Create group'}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
