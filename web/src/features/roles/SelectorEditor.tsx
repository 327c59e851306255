import { Button, Group, NativeSelect, Stack } from '@mantine/core';
import { Plus } from 'lucide-react';
import type { RoleTerm } from '@/api/access';
import { GroupPicker } from '@/features/host-groups';
import { Banner } from '@/ui/Banner';
import { useSelected } from './api';
import { hosts } from './words';

/** The server takes so many conditions. */
const MOST_TERMS = 20;

interface SelectorEditorProps {
  value: readonly RoleTerm[];
  onChange: (selector: RoleTerm[]) => void;
  disabled: boolean;
  error?: string;
}

/** Conditions on hosts; a host must meet all of them. Says at once how many hosts do. */
export function SelectorEditor({ value, onChange, disabled, error }: SelectorEditorProps) {
  const change = (number: number, term: RoleTerm) =>
    onChange(value.map((other, at) => (at === number ? term : other)));
  return (
    <Stack gap="md">
      {value.length === 0 && <div>The role reaches every host of the organisation.</div>}
      {error && <Banner tone="bad">{error}</Banner>}
      {value.map((term, number) => (
        <Term
          // biome-ignore lint/suspicious/noArrayIndexKey: terms have no identity but their place.
          key={number}
          term={term}
          number={number + 1}
          disabled={disabled}
          onChange={(next) => change(number, next)}
          onRemove={() => onChange(value.filter((_, at) => at !== number))}
        />
      ))}
      {!disabled && value.length < MOST_TERMS && (
        <Group>
          <Button
            variant="default"
            leftSection={<Plus size={16} aria-hidden="true" />}
            onClick={() => onChange([...value, { host_groups: [], negated: false }])}
          >
            Add a condition
          </Button>
        </Group>
      )}
      <Selected selector={value} />
    </Stack>
  );
}

interface TermProps {
  term: RoleTerm;
  number: number;
  disabled: boolean;
  onChange: (term: RoleTerm) => void;
  onRemove: () => void;
}

function Term({ term, number, disabled, onChange, onRemove }: TermProps) {
  return (
    <Group gap="xs" align="flex-end">
      <NativeSelect
        aria-label={`Condition ${number}`}
        disabled={disabled}
        value={term.negated ? 'none' : 'any'}
        data={[
          { value: 'any', label: 'The host is in one of' },
          { value: 'none', label: 'The host is in none of' },
        ]}
        onChange={(event) => onChange({ ...term, negated: event.currentTarget.value === 'none' })}
      />
      <div style={{ flex: '1 1 220px' }}>
        <GroupPicker
          label={`Groups of condition ${number}`}
          disabled={disabled}
          value={term.host_groups}
          onChange={(host_groups) => onChange({ ...term, host_groups })}
        />
      </div>
      {!disabled && (
        <Button variant="default" aria-label={`Remove condition ${number}`} onClick={onRemove}>
          Remove
        </Button>
      )}
    </Group>
  );
}

/** Conditions that name no group yet are not asked about. */
export function complete(selector: readonly RoleTerm[]): boolean {
  return selector.every((term) => term.host_groups.length > 0);
}

function Selected({ selector }: { selector: readonly RoleTerm[] }) {
  const preview = useSelected(selector, complete(selector));
  if (!complete(selector)) {
    return <div>Choose the groups of every condition.</div>;
  }
  if (!preview.data) {
    return null;
  }
  return preview.data.warnings.includes('matches_nothing') ? (
    <Banner>No host meets this now. The role gives nothing on hosts until one does.</Banner>
  ) : (
    <div role="status">Selects {hosts(preview.data.hosts)} now.</div>
  );
}
