import { Stack } from '@mantine/core';
import type { AccountStatus, DirectoryUser } from '@/api/directory';
import { Banner } from '@/ui/Banner';
import { Copyable } from '@/ui/Copyable';
import { type Field, FieldList } from '@/ui/FieldList';
import { Loadable } from '@/ui/Loadable';
import { Notice } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { StatusBadge } from '@/ui/StatusBadge';
import { TableSkeleton } from '@/ui/TableSkeleton';
import { TimeAgo } from '@/ui/TimeAgo';
import type { Tone } from '@/ui/tone';
import { AttributesPanel } from './AttributesPanel';
import { useRecord } from './api';
import classes from './DirectoryPage.module.css';
import { GroupsPanel } from './GroupsPanel';

const STATUS: Record<AccountStatus, { tone: Tone; label: string }> = {
  active: { tone: 'ok', label: 'Active' },
  disabled: { tone: 'quiet', label: 'Disabled' },
  locked: { tone: 'bad', label: 'Locked' },
  expired: { tone: 'bad', label: 'Account expired' },
  password_must_change: { tone: 'warn', label: 'Password must change' },
};

interface RecordViewProps {
  directory: string;
  dn: string;
  searched: string;
}

/** One record: summary, password, groups, all attributes. */
export function RecordView({ directory, dn, searched }: RecordViewProps) {
  const query = useRecord(directory, dn, searched);
  return (
    <Loadable
      query={query}
      loading={<TableSkeleton rows={4} />}
      empty={<Notice title="Empty record" />}
      isEmpty={() => false}
    >
      {(record) => (
        <Stack gap="md">
          {record.truncated && (
            <Banner tone="warn">The record is very large; some values are left out.</Banner>
          )}
          <Summary record={record} />
          <Password record={record} />
          <GroupsPanel directory={directory} dn={record.dn} direct={record.groups} />
          {record.attributes && <AttributesPanel attributes={record.attributes} />}
        </Stack>
      )}
    </Loadable>
  );
}

function Summary({ record }: { record: DirectoryUser }) {
  const status = STATUS[record.status];
  const optional: [string, string | null][] = [
    ['Username', record.username],
    ['Email', record.email],
    ['SAM account name', record.sam_account_name],
    ['User principal name', record.user_principal_name],
    ['Department', record.department],
    ['Manager', record.manager],
  ];
  const fields: Field[] = optional
    .filter(([, value]) => value)
    .map(([name, value]) => ({ name, value: <bdi>{value}</bdi> }));
  fields.push({ name: 'DN', value: <Copyable text={record.dn} label="DN" /> });
  if (record.account_expires_at) {
    const value = <TimeAgo at={record.account_expires_at} kind="any" />;
    fields.push({ name: 'Account expires', value });
  }
  return (
    <Panel
      title={record.display_name ?? record.username ?? record.dn}
      aside={<StatusBadge tone={status.tone} label={status.label} />}
    >
      {record.photo && <img className={classes.photo} src={record.photo} alt="" />}
      <FieldList fields={fields} />
    </Panel>
  );
}

function Password({ record }: { record: DirectoryUser }) {
  const { expires_at, changed_at, never_expires } = record.password;
  const expires = expires_at ? <TimeAgo at={expires_at} kind="any" /> : 'not known';
  return (
    <Panel title="Password">
      <FieldList
        fields={[
          { name: 'Expires', value: never_expires ? 'never' : expires },
          { name: 'Last changed', value: <TimeAgo at={changed_at} missing="not known" /> },
        ]}
      />
    </Panel>
  );
}
