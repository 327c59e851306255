import { Select } from '@mantine/core';
import { useState } from 'react';
import { useDebouncedText } from '@/ui/useDebouncedText';
import { type Choice, type ChoiceKind, useChoices } from './api';

const SEARCH_DELAY_MS = 250;

interface ChoiceSelectProps {
  kind: ChoiceKind;
  label: string;
  value: Choice | undefined;
  onChange: (choice: Choice | undefined) => void;
  disabled?: boolean;
}

/** Chooses a person, a team or a host by a part of the name. */
export function ChoiceSelect({ kind, label, value, onChange, disabled }: ChoiceSelectProps) {
  const [search, setSearch] = useState('');
  const [, type] = useDebouncedText(search, SEARCH_DELAY_MS, (next) => setSearch(next ?? ''));
  const found = useChoices(kind, search);
  const offered = found.data ?? [];
  const all =
    value && !offered.some((choice) => choice.id === value.id) ? [value, ...offered] : offered;
  return (
    <Select
      label={label}
      placeholder="Type a part of the name"
      searchable
      clearable
      disabled={disabled}
      value={value?.id ?? null}
      // The text of what is chosen is no search of its own.
      onSearchChange={(typed) => type(typed === value?.label ? '' : typed)}
      data={all.map(({ id, label: name }) => ({ value: id, label: name }))}
      filter={({ options }) => options}
      nothingFoundMessage={found.isError ? 'The list cannot be read' : 'Nothing matches'}
      onChange={(id) => onChange(all.find((choice) => choice.id === id))}
    />
  );
}
