import { Button, Group, NativeSelect, Stack, Textarea, TextInput } from '@mantine/core';
import { type FormEvent, type ReactNode, useState } from 'react';
import type { BaseRole, CustomRole, CustomRoleRequest, PermissionInfo } from '@/api/access';
import { isProblem } from '@/api/problem';
import { Banner } from '@/ui/Banner';
import { Panel } from '@/ui/Panel';
import { useSaveRole } from './api';
import { permissionsOf } from './catalogue';
import { ImpactDialog } from './ImpactDialog';
import { PermissionChoice } from './PermissionChoice';
import { complete, SelectorEditor } from './SelectorEditor';
import { BASES, roleLabel } from './words';

const LONGEST_NAME = 100;
const LONGEST_DESCRIPTION = 1000;

interface RoleEditorProps {
  catalogue: readonly PermissionInfo[];
  existing: CustomRole | undefined;
  disabled: boolean;
  onSaved: (role: CustomRole) => void;
}

const NEW: CustomRoleRequest = {
  name: '',
  description: '',
  base: null,
  permissions: [],
  selector: [],
};

function requestOf(role: CustomRole | undefined): CustomRoleRequest {
  if (!role) {
    return NEW;
  }
  const { name, description, base, permissions, selector } = role;
  return { name, description, base, permissions, selector };
}

/** What is missing before the draft can be saved. */
function gap(draft: CustomRoleRequest): string | undefined {
  if (draft.name.trim() === '') {
    return 'Give the role a name.';
  }
  if (draft.permissions.length === 0) {
    return 'Choose at least one permission.';
  }
  if (!complete(draft.selector)) {
    return 'Choose the groups of every condition, or remove it.';
  }
  return undefined;
}

/** Name, permissions and hosts of a role. Saving first shows what it would do. */
export function RoleEditor({ catalogue, existing, disabled, onSaved }: RoleEditorProps) {
  const save = useSaveRole();
  const [draft, setDraft] = useState(() => requestOf(existing));
  const [checked, setChecked] = useState(false);
  const [confirming, setConfirming] = useState(false);
  const change = (part: Partial<CustomRoleRequest>) => setDraft({ ...draft, ...part });
  const missing = gap(draft);
  const fields = isProblem(save.error) ? save.error.fieldMessages() : {};
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (!missing) {
      save.reset();
      setConfirming(true);
    }
  };
  const confirm = () =>
    save.mutate(
      { existing, role: { ...draft, name: draft.name.trim() } },
      {
        onSuccess: (role) => {
          setConfirming(false);
          onSaved(role);
        },
      },
    );
  return (
    <form noValidate onSubmit={submit}>
      <Stack gap="md">
        <Panel title="About">
          <About draft={draft} disabled={disabled} error={fields.name} onChange={change}>
            <NativeSelect
              label="Made from"
              description="Takes over the permissions of a built-in role, to add to or remove from."
              disabled={disabled}
              value={draft.base ?? ''}
              data={[
                { value: '', label: 'Nothing' },
                ...BASES.map((value) => ({ value, label: roleLabel(value) })),
              ]}
              onChange={(event) => {
                const base = BASES.find((role) => role === event.currentTarget.value);
                change(baseChange(catalogue, base));
              }}
            />
          </About>
        </Panel>
        <Panel title={`Permissions (${draft.permissions.length} chosen)`}>
          <PermissionChoice
            catalogue={catalogue}
            value={draft.permissions}
            onChange={(permissions) => change({ permissions })}
            disabled={disabled}
            error={fields.permissions}
          />
        </Panel>
        <Panel title="Hosts">
          <SelectorEditor
            value={draft.selector}
            onChange={(selector) => change({ selector })}
            disabled={disabled}
            error={fields.selector}
          />
        </Panel>
        {checked && missing && <Banner tone="bad">{missing}</Banner>}
        {!disabled && (
          <Group justify="flex-end">
            <Button type="submit">Look at what changes, then save</Button>
          </Group>
        )}
      </Stack>
      <ImpactDialog
        draft={confirming ? draft : undefined}
        existing={existing}
        pending={save.isPending}
        error={save.error}
        onConfirm={confirm}
        onClose={() => setConfirming(false)}
      />
    </form>
  );
}

function baseChange(
  catalogue: readonly PermissionInfo[],
  base: BaseRole | undefined,
): Partial<CustomRoleRequest> {
  return base ? { base, permissions: permissionsOf(catalogue, base) } : { base: null };
}

interface AboutProps {
  draft: CustomRoleRequest;
  disabled: boolean;
  error: string | undefined;
  onChange: (part: Partial<CustomRoleRequest>) => void;
  children: ReactNode;
}

function About({ draft, disabled, error, onChange, children }: AboutProps) {
  return (
    <Stack gap="md" maw={560}>
      <TextInput
        label="Name"
        maxLength={LONGEST_NAME}
        disabled={disabled}
        value={draft.name}
        onChange={(event) => onChange({ name: event.currentTarget.value })}
        error={error}
      />
      <Textarea
        label="Description"
        rows={2}
        resize="vertical"
        maxLength={LONGEST_DESCRIPTION}
        disabled={disabled}
        value={draft.description}
        onChange={(event) => onChange({ description: event.currentTarget.value })}
      />
      {children}
    </Stack>
  );
}
