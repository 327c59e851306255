import { MultiSelect } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { useCan } from '@/api/session';
import { useDebouncedText } from '@/ui/useDebouncedText';
import { useGroupChoice } from './api';

interface GroupPickerProps {
  label: string;
  description?: string;
  value: readonly string[];
  onChange: (groupIds: string[]) => void;
  /** Names of chosen groups that the list does not bring. */
  known?: readonly { id: string; name: string }[];
  disabled?: boolean;
  error?: ReactNode;
}

const SEARCH_DELAY_MS = 250;

/** A choice of host groups by name. */
export function GroupPicker(props: GroupPickerProps) {
  const { label, description, value, onChange, known = [], disabled = false, error } = props;
  const [search, setSearch] = useState('');
  const [text, type] = useDebouncedText(search, SEARCH_DELAY_MS, (next) => setSearch(next ?? ''));
  const found = useGroupChoice(search, useCan('host_groups.read') && !disabled);
  const [seen, setSeen] = useState<ReadonlyMap<string, string>>(new Map());
  const names = new Map([
    ...known.map((group) => [group.id, group.name] as const),
    ...seen,
    ...(found.data?.items ?? []).map((group) => [group.id, group.name] as const),
  ]);
  return (
    <MultiSelect
      label={label}
      description={description}
      placeholder={value.length === 0 ? 'None' : undefined}
      searchable
      clearable
      hidePickedOptions
      disabled={disabled}
      error={error}
      searchValue={text}
      onSearchChange={type}
      nothingFoundMessage={found.isError ? 'The groups cannot be read' : 'No group matches'}
      data={[...names].map(([id, name]) => ({ value: id, label: name }))}
      value={[...value]}
      onChange={(chosen) => {
        // Another search brings other groups; the names of the chosen ones must stay.
        setSeen(names);
        onChange(chosen);
      }}
    />
  );
}
