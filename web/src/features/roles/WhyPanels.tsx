import { Select, Stack } from '@mantine/core';
import { useState } from 'react';
import { useCan } from '@/api/session';
import { Panel } from '@/ui/Panel';
import { type Choice, useCatalogue } from './api';
import { ChoiceSelect } from './ChoiceSelect';
import { Explanation } from './Explanation';

const SEEING = 'hosts.read';

/** On the page of a host: why somebody sees it, or may do something there. */
export function WhyHostPanel({ hostId }: { hostId: string }) {
  const explains = useCan('rbac.manage');
  const finds = useCan('users.read');
  const [person, setPerson] = useState<Choice>();
  const [permission, setPermission] = useState(SEEING);
  if (!explains || !finds) {
    return null;
  }
  return (
    <Panel title="Who sees this host, and why">
      <Stack gap="md">
        <ChoiceSelect kind="person" label="Person" value={person} onChange={setPerson} />
        <PermissionSelect value={permission} onChange={setPermission} />
        {person && <Explanation question={{ user: person.id, permission, resource: hostId }} />}
      </Stack>
    </Panel>
  );
}

/** On the page of a person: why they see a host, or may do something there or at all. */
export function WhyPersonPanel({ userId }: { userId: string }) {
  const explains = useCan('rbac.manage');
  const [host, setHost] = useState<Choice>();
  const [permission, setPermission] = useState(SEEING);
  if (!explains) {
    return null;
  }
  return (
    <Panel title="What this person may do, and why">
      <Stack gap="md">
        <PermissionSelect value={permission} onChange={setPermission} />
        <ChoiceSelect
          kind="host"
          label="On the host (none: at all)"
          value={host}
          onChange={setHost}
        />
        <Explanation question={{ user: userId, permission, resource: host?.id }} />
      </Stack>
    </Panel>
  );
}

interface PermissionSelectProps {
  value: string;
  onChange: (permission: string) => void;
}

function PermissionSelect({ value, onChange }: PermissionSelectProps) {
  const known = useCatalogue().data?.items ?? [];
  const names = known.length === 0 ? [value] : known.map((permission) => permission.name);
  const chosen = known.find((permission) => permission.name === value);
  return (
    <Select
      label="Permission"
      description={chosen?.about}
      searchable
      allowDeselect={false}
      data={names}
      value={value}
      onChange={(name) => name && onChange(name)}
    />
  );
}
