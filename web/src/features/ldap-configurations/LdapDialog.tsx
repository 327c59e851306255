import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { LdapConfiguration, LdapPresets } from '@/api/directory';
import { Banner } from '@/ui/Banner';
import { ErrorNotice, errorText } from '@/ui/Notice';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { useLdapConfiguration, useLdapPresets, useSaveLdap, useTestLdap } from './api';
import { type Draft, toDraft, toInput } from './draft';
import { LdapFields } from './LdapFields';
import { TestResultView } from './TestResultView';

interface LdapDialogProps {
  /** The directory to change; a new one without. */
  id: string | undefined;
  onClose: () => void;
}

/** Adds or changes a directory, with a test before it is saved. */
export function LdapDialog({ id, onClose }: LdapDialogProps) {
  const presets = useLdapPresets();
  const saved = useLdapConfiguration(id);
  const ready = presets.data && (id === undefined || saved.data);
  const error = presets.error ?? saved.error;
  const title = id === undefined ? 'Add directory' : 'Change directory';
  return (
    <Modal opened onClose={onClose} title={title} size="lg">
      {error && <ErrorNotice error={error} />}
      {!error && !ready && <TableSkeleton rows={6} />}
      {presets.data && ready && (
        <LdapForm presets={presets.data} saved={saved.data} onClose={onClose} />
      )}
    </Modal>
  );
}

interface LdapFormProps {
  presets: LdapPresets;
  saved: LdapConfiguration | undefined;
  onClose: () => void;
}

function LdapForm({ presets, saved, onClose }: LdapFormProps) {
  const [draft, setDraft] = useState<Draft>(() =>
    toDraft(saved?.settings ?? presets.active_directory, saved),
  );
  const [sample, setSample] = useState('');
  const save = useSaveLdap(saved?.id);
  const test = useTestLdap();
  const tryOut = () => {
    const { settings, bind_dn, bind_password, ca_pem } = toInput(draft);
    const sample_username = sample.trim() || undefined;
    test.mutate({ id: saved?.id, settings, bind_dn, bind_password, ca_pem, sample_username });
  };
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate(toInput(draft, saved?.version), { onSuccess: onClose });
      }}
    >
      <Stack gap="sm">
        <LdapFields
          draft={draft}
          presets={presets}
          hasPassword={saved?.has_bind_password ?? false}
          onChange={(more) => setDraft((before) => ({ ...before, ...more }))}
        />
        <TextInput
          label="Sample username"
          description="The test looks it up as sign-in would."
          value={sample}
          onChange={(event) => setSample(event.currentTarget.value)}
        />
        {test.isError && <Banner tone="bad">{errorText(test.error)}</Banner>}
        {test.data && <TestResultView result={test.data} onRetry={tryOut} />}
        {save.isError && <Banner tone="bad">{errorText(save.error)}</Banner>}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button variant="default" loading={test.isPending} onClick={tryOut}>
            Test connection
          </Button>
          <Button type="submit" loading={save.isPending}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
