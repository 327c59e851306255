import { Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { DirectoryAttribute } from '@/api/directory';
import { type Column, DataTable } from '@/ui/DataTable';
import { Notice } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import classes from './DirectoryPage.module.css';

const COLUMNS: Column<DirectoryAttribute>[] = [
  {
    id: 'name',
    header: 'Attribute',
    card: 'title',
    cell: (attribute) => <code>{attribute.name}</code>,
  },
  { id: 'values', header: 'Values', cell: (attribute) => <Values attribute={attribute} /> },
];

function Values({ attribute }: { attribute: DirectoryAttribute }) {
  return (
    <ul className={classes.values}>
      {attribute.values.map((value) => (
        <li key={value.text}>
          <bdi>{value.text}</bdi>
          {value.at && ` (${new Date(value.at).toLocaleString()})`}
        </li>
      ))}
    </ul>
  );
}

/** Every attribute of a record, with a filter over names and values. */
export function AttributesPanel({ attributes }: { attributes: readonly DirectoryAttribute[] }) {
  const [filter, setFilter] = useState('');
  const wanted = filter.trim().toLowerCase();
  const matches = (attribute: DirectoryAttribute) =>
    attribute.name.toLowerCase().includes(wanted) ||
    attribute.values.some((value) => value.text.toLowerCase().includes(wanted));
  const shown = attributes.filter(matches);
  return (
    <Panel title="All attributes">
      <Stack gap="sm">
        <TextInput
          label="Filter attributes"
          value={filter}
          onChange={(event) => setFilter(event.currentTarget.value)}
        />
        {shown.length === 0 ? (
          <Notice title="No attribute matches" />
        ) : (
          <DataTable label="Attributes" columns={COLUMNS} rows={shown} rowKey={(one) => one.name} />
        )}
      </Stack>
    </Panel>
  );
}
