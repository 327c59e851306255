import {
  Button,
  Checkbox,
  Group,
  NativeSelect,
  NumberInput,
  PasswordInput,
  Stack,
  Switch,
  Textarea,
  TextInput,
} from '@mantine/core';
import type { SettingsKey, SettingsPage } from '@/api/settings';
import { TimeAgo } from '@/ui/TimeAgo';
import classes from './KeyField.module.css';
import { aboutText, choiceLabel, rangeText, shownValue } from './values';

interface KeyFieldProps {
  settingsKey: SettingsKey;
  page: SettingsPage;
  /** What is in the form: the draft, else what counts. Undefined for secrets that stay. */
  value: unknown;
  error: string | undefined;
  marked: boolean;
  onChange: (value: unknown) => void;
}

/** One key of a page, in the control that fits its type. */
export function KeyField(props: KeyFieldProps) {
  const { settingsKey: key, page, marked } = props;
  const locked = isLocked(key, page);
  return (
    <div id={`key-${key.name}`} className={classes.field} data-marked={marked || undefined}>
      <Control {...props} />
      <p className={classes.notes}>
        {locked && key.env && (
          <span>
            Set by the variable <code>{key.env}</code> of the server.
          </span>
        )}
        {!locked && page.sources[key.name] === 'stored' && key.type !== 'long_text' && (
          <span>Default: {defaultText(key)}.</span>
        )}
        {key.restart && !locked && <span>Acts after a restart.</span>}
      </p>
    </div>
  );
}

function defaultText(key: SettingsKey): string {
  const isChoice = key.type === 'choice' && typeof key.default === 'string';
  return isChoice ? choiceLabel(String(key.default)) : shownValue(key.default);
}

export function isLocked(key: SettingsKey, page: SettingsPage): boolean {
  return !page.writable || key.env_only || page.sources[key.name] === 'environment';
}

function Control({ settingsKey: key, page, value, error, onChange }: KeyFieldProps) {
  const range = rangeText(key);
  const common = {
    label: key.title,
    description: range ? `${aboutText(key)} ${range}.` : aboutText(key),
    error,
    disabled: isLocked(key, page),
  };
  switch (key.type) {
    case 'flag':
      return (
        <Switch
          {...common}
          aria-label={key.title}
          checked={value === true}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
      );
    case 'integer':
      return (
        <NumberInput
          {...common}
          className={classes.short}
          value={typeof value === 'number' ? value : ''}
          allowDecimal={false}
          onChange={(next) => onChange(next === '' ? null : Number(next))}
        />
      );
    case 'choice':
      return (
        <NativeSelect
          {...common}
          className={classes.short}
          value={String(value)}
          data={(key.choices ?? []).map((word) => ({ value: word, label: choiceLabel(word) }))}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      );
    case 'choices':
      return (
        <Checkbox.Group {...common} value={list(value)} onChange={onChange}>
          <Stack gap={6} mt={6}>
            {key.choices?.map((word) => (
              <Checkbox
                key={word}
                value={word}
                label={choiceLabel(word)}
                disabled={common.disabled}
              />
            ))}
          </Stack>
        </Checkbox.Group>
      );
    case 'list':
    case 'integers':
      return (
        <Lines
          common={common}
          integers={key.type === 'integers'}
          value={value}
          onChange={onChange}
        />
      );
    case 'long_text':
      return (
        <Textarea
          {...common}
          rows={6}
          value={String(value ?? '')}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      );
    case 'secret':
      return (
        <SecretControl
          common={common}
          name={key.name}
          page={page}
          value={value}
          onChange={onChange}
        />
      );
    default:
      return (
        <TextInput
          {...common}
          value={String(value ?? '')}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      );
  }
}

interface Common {
  label: string;
  description: string;
  error: string | undefined;
  disabled: boolean;
}

interface LinesProps {
  common: Common;
  integers: boolean;
  value: unknown;
  onChange: (value: unknown) => void;
}

function Lines({ common, integers, value, onChange }: LinesProps) {
  const read = (text: string) => {
    const lines = text.split('\n').map((line) => line.trim());
    return integers ? lines.filter(Boolean).map(Number) : lines;
  };
  return (
    <Textarea
      {...common}
      rows={3}
      value={list(value).join('\n')}
      onChange={(event) =>
        onChange(event.currentTarget.value === '' ? [] : read(event.currentTarget.value))
      }
    />
  );
}

interface SecretProps {
  common: Common;
  name: string;
  page: SettingsPage;
  value: unknown;
  onChange: (value: unknown) => void;
}

/** A secret is typed anew or cleared; what is set is never shown. */
function SecretControl({ common, name, page, value, onChange }: SecretProps) {
  const set = page.secrets[name];
  const clearing = value === null;
  return (
    <>
      <PasswordInput
        {...common}
        autoComplete="new-password"
        placeholder={clearing ? 'Will be cleared' : set ? 'Unchanged' : undefined}
        value={typeof value === 'string' ? value : ''}
        onChange={(event) => onChange(event.currentTarget.value || undefined)}
      />
      {set && (
        <Group gap="xs" className={classes.notes}>
          <span>
            Set <TimeAgo at={set.set_at} />
            {set.set_by && ` by ${set.set_by}`}.
          </span>
          {page.writable && (
            <Button
              size="compact-xs"
              variant="default"
              onClick={() => onChange(clearing ? undefined : null)}
            >
              {clearing ? 'Keep it' : 'Clear'}
            </Button>
          )}
        </Group>
      )}
    </>
  );
}

function list(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
