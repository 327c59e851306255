import { Button, Group, Modal, Stack, Switch, Textarea, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { isProblem } from '@/api/problem';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { useCreateTeam } from './api';

interface CreateTeamDialogProps {
  opened: boolean;
  onClose: () => void;
  onCreated: (id: string) => void;
}

export function CreateTeamDialog({ opened, onClose, onCreated }: CreateTeamDialogProps) {
  return (
    <Modal opened={opened} onClose={onClose} title="Create team">
      <TeamForm
        onCancel={onClose}
        onCreated={(id) => {
          onClose();
          onCreated(id);
        }}
      />
    </Modal>
  );
}

interface TeamFormProps {
  onCancel: () => void;
  onCreated: (id: string) => void;
}

function TeamForm({ onCancel, onCreated }: TeamFormProps) {
  const create = useCreateTeam();
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const [scoping, setScoping] = useState(false);
  const [checked, setChecked] = useState(false);
  const fields = isProblem(create.error) ? create.error.fieldMessages() : {};
  const missing = name.trim() === '';
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (!missing) {
      const request = { name: name.trim(), description: description.trim(), scoping };
      create.mutate(request, { onSuccess: (team) => onCreated(team.id) });
    }
  };
  return (
    <form noValidate onSubmit={submit}>
      <Stack gap="md">
        {create.isError && Object.keys(fields).length === 0 && (
          <Banner tone="bad">{errorText(create.error)}</Banner>
        )}
        <TextInput
          label="Name"
          maxLength={100}
          data-autofocus
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={checked && missing ? 'Use 1 to 100 characters.' : fields.name}
        />
        <Textarea
          label="Description"
          maxLength={1000}
          value={description}
          onChange={(event) => setDescription(event.currentTarget.value)}
          error={fields.description}
        />
        <Switch
          label="Limits what members see"
          description="Engineers and readers of the team see its host groups, beside those given to them."
          checked={scoping}
          onChange={(event) => setScoping(event.currentTarget.checked)}
        />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onCancel}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending}>
            Create team
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
