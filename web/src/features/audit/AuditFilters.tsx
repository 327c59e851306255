import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';
import classes from './AuditFilters.module.css';
import { type AuditSearch, hasFilter } from './search';
import { ACTOR_KINDS, OUTCOMES, outcomeLabel } from './words';

interface AuditFiltersProps {
  search: AuditSearch;
  onChange: (part: Partial<AuditSearch>) => void;
}

type TextName = 'q' | 'action' | 'actor_id' | 'target_type' | 'target_id' | 'ip' | 'request_id';

interface TextFilter {
  name: TextName;
  label: string;
  placeholder: string;
}

const COMMON: TextFilter[] = [
  { name: 'q', label: 'Text', placeholder: 'in the summary' },
  { name: 'action', label: 'Action', placeholder: 'auth.login' },
  { name: 'ip', label: 'IP address', placeholder: '192.0.2.1' },
];

/** Behind a button until one of them is in use. */
const RARE: TextFilter[] = [
  { name: 'actor_id', label: 'Actor id', placeholder: 'person or agent' },
  { name: 'target_type', label: 'Target type', placeholder: 'host' },
  { name: 'target_id', label: 'Target id', placeholder: '' },
  { name: 'request_id', label: 'Request id', placeholder: '' },
];

const NOTHING: Partial<AuditSearch> = {
  from: undefined,
  to: undefined,
  actor_type: undefined,
  outcome: undefined,
  q: undefined,
  action: undefined,
  actor_id: undefined,
  target_type: undefined,
  target_id: undefined,
  ip: undefined,
  request_id: undefined,
};

/** Every filter of the log; each is in the address bar, so that a question can be sent on. */
export function AuditFilters({ search, onChange }: AuditFiltersProps) {
  const [opened, setOpened] = useState(false);
  const more = opened || RARE.some(({ name }) => search[name]);
  return (
    <search className={classes.filters} aria-label="Filter events">
      {(['from', 'to'] as const).map((name) => (
        <TextInput
          key={name}
          type="date"
          size="xs"
          label={name === 'from' ? 'From' : 'To'}
          value={search[name] ?? ''}
          onChange={(event) => onChange({ [name]: event.currentTarget.value || undefined })}
        />
      ))}
      <NativeSelect
        size="xs"
        label="Outcome"
        value={search.outcome ?? ''}
        onChange={(event) => onChange({ outcome: event.currentTarget.value || undefined })}
        data={[
          { value: '', label: 'Any' },
          ...OUTCOMES.map((value) => ({ value, label: outcomeLabel(value) })),
        ]}
      />
      <NativeSelect
        size="xs"
        label="By"
        value={search.actor_type ?? ''}
        onChange={(event) => onChange({ actor_type: event.currentTarget.value || undefined })}
        data={[
          { value: '', label: 'Anybody' },
          ...Object.entries(ACTOR_KINDS).map(([value, label]) => ({ value, label })),
        ]}
      />
      {[...COMMON, ...(more ? RARE : [])].map((field) => (
        <FilterText
          key={field.name}
          label={field.label}
          placeholder={field.placeholder}
          value={search[field.name] ?? ''}
          onCommit={(value) => onChange({ [field.name]: value || undefined })}
        />
      ))}
      <div className={classes.buttons}>
        {!more && (
          <Button size="xs" variant="default" onClick={() => setOpened(true)}>
            More filters
          </Button>
        )}
        {hasFilter(search) && (
          <Button size="xs" variant="subtle" onClick={() => onChange(NOTHING)}>
            Clear filters
          </Button>
        )}
      </div>
    </search>
  );
}

interface FilterTextProps {
  label: string;
  placeholder: string;
  value: string;
  onCommit: (value: string) => void;
}

/** Asks when Enter is pressed or the field is left, not with every key. */
function FilterText({ label, placeholder, value, onCommit }: FilterTextProps) {
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  const commit = () => typed.trim() !== value && onCommit(typed.trim());
  return (
    <TextInput
      size="xs"
      label={label}
      placeholder={placeholder}
      maxLength={200}
      value={typed}
      onChange={(event) => setTyped(event.currentTarget.value)}
      onBlur={commit}
      onKeyDown={(event) => event.key === 'Enter' && commit()}
    />
  );
}
