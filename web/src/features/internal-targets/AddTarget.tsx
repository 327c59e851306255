import { Button, Group, Stack, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { isProblem } from '@/api/problem';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { useAddTarget } from './api';

/** One more internal target. */
export function AddTarget() {
  const add = useAddTarget();
  const [target, setTarget] = useState('');
  const [note, setNote] = useState('');
  const [missing, setMissing] = useState(false);
  const wrong = isProblem(add.error) ? add.error.fieldMessages() : {};
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setMissing(target.trim() === '');
    if (target.trim() === '') {
      return;
    }
    const clear = () => {
      setTarget('');
      setNote('');
    };
    add.mutate({ target: target.trim(), note: note.trim() }, { onSuccess: clear });
  };
  return (
    <Panel title="Add a target">
      <form onSubmit={submit} noValidate>
        <Stack gap="sm">
          <TextInput
            label="Target"
            description="A network (10.1.0.0/16), an address, a host name, or a suffix (.corp.example)."
            autoComplete="off"
            value={target}
            error={missing ? 'Enter what may be reached.' : wrong.target}
            onChange={(event) => setTarget(event.currentTarget.value)}
          />
          <TextInput
            label="What for"
            maxLength={200}
            value={note}
            error={wrong.note}
            onChange={(event) => setNote(event.currentTarget.value)}
          />
          {add.error && !wrong.target && !wrong.note && (
            <Banner tone="bad">{errorText(add.error)}</Banner>
          )}
          <Group>
            <Button type="submit" loading={add.isPending}>
              Add target
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  );
}
