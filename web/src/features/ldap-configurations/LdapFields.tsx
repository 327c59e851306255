import { Checkbox, Fieldset, PasswordInput, Select, Textarea, TextInput } from '@mantine/core';
import type { LdapPreset, LdapPresets, LdapSettings, LdapTransport } from '@/api/directory';
import { Banner } from '@/ui/Banner';
import { type Draft, toDraft } from './draft';

const PRESETS = [
  { value: 'active_directory', label: 'Active Directory' },
  { value: 'openldap', label: 'OpenLDAP' },
];
const TRANSPORTS = [
  { value: 'ldaps', label: 'LDAPS (636)' },
  { value: 'starttls', label: 'StartTLS (389)' },
  { value: 'plain', label: 'Unencrypted (389)' },
];
const ROLES = [
  { value: 'pending', label: 'None: an administrator decides' },
  { value: 'read_only', label: 'read_only' },
  { value: 'engineer', label: 'engineer' },
  { value: 'org_admin', label: 'org_admin' },
];

interface LdapFieldsProps {
  draft: Draft;
  presets: LdapPresets;
  /** A password is stored already. */
  hasPassword: boolean;
  onChange: (more: Partial<Draft>) => void;
}

type TextSetting = {
  [Key in keyof LdapSettings]: LdapSettings[Key] extends string ? Key : never;
}[keyof LdapSettings];

/** Every field of a directory. */
export function LdapFields({ draft, presets, hasPassword, onChange }: LdapFieldsProps) {
  const { settings } = draft;
  const set = (more: Partial<LdapSettings>) => onChange({ settings: { ...settings, ...more } });
  const text = (name: TextSetting, label: string) => (
    <TextInput
      label={label}
      value={settings[name]}
      onChange={(event) => set({ [name]: event.currentTarget.value })}
    />
  );
  const area = (
    name: 'servers' | 'group_roles' | 'allowed_groups' | 'hidden_attributes' | 'ca_pem',
    label: string,
    description: string,
  ) => (
    <Textarea
      label={label}
      description={description}
      rows={2}
      value={draft[name]}
      onChange={(event) => onChange({ [name]: event.currentTarget.value })}
    />
  );
  const check = (label: string, checked: boolean, onCheck: (checked: boolean) => void) => (
    <Checkbox
      label={label}
      mt="xs"
      checked={checked}
      onChange={(event) => onCheck(event.currentTarget.checked)}
    />
  );
  const choosePreset = (preset: LdapPreset) => {
    const { servers, base_dn, user_base, transport } = settings;
    const next = { ...presets[preset], servers, base_dn, user_base, transport };
    onChange({ settings: next, group_roles: toDraft(next).group_roles });
  };
  return (
    <>
      <TextInput
        label="Name"
        value={draft.name}
        onChange={(event) => onChange({ name: event.currentTarget.value })}
      />
      <Fieldset legend="Connection">
        <Select
          label="Kind"
          data={PRESETS}
          value={settings.preset}
          allowDeselect={false}
          onChange={(value) => value && choosePreset(value as LdapPreset)}
        />
        <Select
          label="Transport"
          data={TRANSPORTS}
          value={settings.transport}
          allowDeselect={false}
          onChange={(value) => value && set({ transport: value as LdapTransport })}
        />
        {settings.transport === 'plain' && (
          <Banner tone="bad">
            Passwords cross the network readable. Sign-in is refused unless the authentication
            settings allow it.
          </Banner>
        )}
        {area('servers', 'Servers', 'One per line, host or host:port, in the order to try them.')}
        {check('Check the server certificate', settings.verify_certificate, (checked) =>
          set({ verify_certificate: checked }),
        )}
        {area('ca_pem', 'Certificate authority', 'PEM. Empty: the authorities of the system.')}
        <TextInput
          label="Service account (DN)"
          description="Empty: anonymous."
          autoComplete="off"
          value={draft.bind_dn}
          onChange={(event) => onChange({ bind_dn: event.currentTarget.value })}
        />
        <PasswordInput
          label="Password of the service account"
          description={
            hasPassword
              ? 'Stored. Enter it again only to change it, or when the servers change.'
              : undefined
          }
          autoComplete="new-password"
          value={draft.bind_password}
          onChange={(event) => onChange({ bind_password: event.currentTarget.value })}
        />
      </Fieldset>
      <Fieldset legend="People">
        {text('base_dn', 'Base DN')}
        {text('user_base', 'Base for people')}
        {text('user_filter', 'Filter for people')}
        {text('username_attribute', 'Username attribute')}
        {text('email_attribute', 'Email attribute')}
        {text('display_attribute', 'Full name attribute')}
        {check('Email addresses in the directory are right', settings.trust_email, (checked) =>
          set({ trust_email: checked }),
        )}
        {area('hidden_attributes', 'Hidden attributes', 'One per line. Nobody sees them.')}
      </Fieldset>
      <Fieldset legend="Groups and roles">
        {text('group_base', 'Base for groups')}
        {text('group_filter', 'Filter for groups')}
        {check('Groups of groups count', settings.nested_groups, (checked) =>
          set({ nested_groups: checked }),
        )}
        {area('group_roles', 'Roles by group', 'One per line: role: DN of the group.')}
        {area('allowed_groups', 'Allowed groups', 'DNs, one per line. Empty: everybody.')}
        <Select
          label="Role of everybody else"
          data={ROLES}
          value={settings.default_role}
          allowDeselect={false}
          onChange={(value) => value && set({ default_role: value })}
        />
      </Fieldset>
      {check('Enabled', draft.enabled, (checked) => onChange({ enabled: checked }))}
      {check('People may sign in with it', draft.login_allowed, (checked) =>
        onChange({ login_allowed: checked }),
      )}
    </>
  );
}
