import { Button, Group, Stack } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useEffect, useState } from 'react';
import { isProblem } from '@/api/problem';
import type { SettingsPage } from '@/api/settings';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { useSavePage } from './api';
import { ConflictView } from './ConflictView';
import { KeyField } from './KeyField';
import { RelayTest } from './RelayTest';

type Draft = Record<string, unknown>;

interface KeysFormProps {
  page: SettingsPage;
  marked: string | undefined;
}

/** Only what was changed is sent, with the version it was changed from. */
export function KeysForm({ page, marked }: KeysFormProps) {
  const [draft, setDraft] = useState<Draft>({});
  const [seen, setSeen] = useState(page.version);
  const client = useQueryClient();
  const save = useSavePage(page.name);
  useScrollTo(marked);
  const isDirty = Object.keys(draft).length > 0;
  const conflict = isProblem(save.error, 'version_conflict');
  const messages = isProblem(save.error) ? save.error.fieldMessages() : {};
  const known = page.keys.some((key) => messages[key.name]);
  const change = (name: string, value: unknown) =>
    setDraft(({ [name]: _, ...rest }) => (value === undefined ? rest : { ...rest, [name]: value }));
  const forget = () => {
    setDraft({});
    save.reset();
    setSeen(page.version);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate(
      { changes: draft, version: isDirty ? seen : page.version },
      {
        onSuccess: (saved) => {
          setDraft({});
          setSeen(saved.version);
          notifications.show({ message: 'Saved' });
        },
        onError: (error) =>
          isProblem(error, 'version_conflict')
            ? client.invalidateQueries({ queryKey: ['settings-pages', page.name] })
            : undefined,
      },
    );
  };
  return (
    <>
      {page.faults.map((fault) => (
        <Banner key={fault.key}>
          The stored value of {fault.key} cannot be used: it {fault.message}. The default counts.
        </Banner>
      ))}
      <form onSubmit={submit} noValidate>
        <Panel title={page.title} hideTitle>
          <Stack gap={4}>
            {page.keys.map((key) => (
              <KeyField
                key={key.name}
                settingsKey={key}
                page={page}
                value={key.name in draft ? draft[key.name] : page.values[key.name]}
                error={messages[key.name]}
                marked={key.name === marked}
                onChange={(value) => change(key.name, value)}
              />
            ))}
            {conflict && (
              <ConflictView
                page={page}
                draft={draft}
                onMine={() => {
                  setSeen(page.version);
                  save.reset();
                }}
                onTheirs={forget}
              />
            )}
            {save.isError && !conflict && !known && (
              <Banner tone="bad">{errorText(save.error)}</Banner>
            )}
            {page.writable && (
              <Group gap="xs" mt="sm">
                <Button type="submit" disabled={!isDirty || conflict} loading={save.isPending}>
                  Save
                </Button>
                <Button variant="default" disabled={!isDirty} onClick={forget}>
                  Discard changes
                </Button>
              </Group>
            )}
          </Stack>
        </Panel>
      </form>
      {page.name === 'smtp-relay' && page.writable && <RelayTest draft={draft} />}
    </>
  );
}

/** A deep link shows its key. */
function useScrollTo(key: string | undefined) {
  useEffect(() => {
    if (key) {
      document.getElementById(`key-${key}`)?.scrollIntoView?.({ block: 'center' });
    }
  }, [key]);
}
