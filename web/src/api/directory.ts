/** Directories: how they are set up, and what they say of people. */

export type LdapTransport = 'ldaps' | 'starttls' | 'plain';
export type LdapPreset = 'active_directory' | 'openldap';

export interface LdapSettings {
  preset: LdapPreset;
  transport: LdapTransport;
  servers: { host: string; port: number }[];
  verify_certificate: boolean;
  base_dn: string;
  user_base: string;
  user_filter: string;
  username_attribute: string;
  email_attribute: string;
  display_attribute: string;
  trust_email: boolean;
  group_base: string;
  group_filter: string;
  nested_groups: boolean;
  group_roles: { group: string; role: string }[];
  allowed_groups: string[];
  default_role: string;
  hidden_attributes: string[];
  connect_timeout_s: number;
  operation_timeout_s: number;
}

export interface LdapRow {
  id: string;
  name: string;
  enabled: boolean;
  login_allowed: boolean;
  settings: LdapSettings;
  last_test_at: string | null;
  last_test_ok: boolean | null;
}

export interface LdapTestStep {
  step: 'resolve' | 'connect' | 'tls' | 'bind' | 'search';
  ok: boolean;
  ms: number;
  detail: string | null;
}

export interface LdapTestResult {
  ok: boolean;
  servers: {
    server: string;
    ok: boolean;
    steps: LdapTestStep[];
    certificate: { subject: string; not_after: string } | null;
    entries: number | null;
    /** Host that needs an entry among the internal targets. */
    needs_target: string | null;
  }[];
}

export interface LdapConfiguration {
  id: string;
  name: string;
  enabled: boolean;
  login_allowed: boolean;
  settings: LdapSettings;
  bind_dn: string | null;
  has_bind_password: boolean;
  ca_pem: string | null;
  linked_users: number;
  version: number;
  last_test_at: string | null;
  last_test_result: LdapTestResult | null;
}

/** What is saved; absent secrets stay as they are. */
export interface LdapInput {
  name: string;
  enabled: boolean;
  login_allowed: boolean;
  settings: LdapSettings;
  bind_dn: string;
  bind_password?: string;
  ca_pem: string;
  version?: number;
}

export interface LdapDraft {
  id?: string;
  settings: LdapSettings;
  bind_dn: string;
  bind_password?: string;
  ca_pem: string;
  sample_username?: string;
}

export interface LdapPresets {
  active_directory: LdapSettings;
  openldap: LdapSettings;
}

export interface DirectoryChoice {
  id: string;
  name: string;
}

export interface DirectoryMatch {
  dn: string;
  display_name: string;
  username: string | null;
  email: string | null;
}

export interface DirectoryMatches {
  items: DirectoryMatch[];
  more: boolean;
}

export interface DirectoryGroups {
  items: { dn: string; name: string; primary: boolean; nested: boolean }[];
  more: boolean;
}

export type AccountStatus = 'active' | 'disabled' | 'locked' | 'expired' | 'password_must_change';

export interface DirectoryAttribute {
  name: string;
  values: { text: string; at: string | null }[];
}

export interface DirectoryUser {
  dn: string;
  display_name: string | null;
  username: string | null;
  status: AccountStatus;
  email: string | null;
  sam_account_name: string | null;
  user_principal_name: string | null;
  manager: string | null;
  department: string | null;
  account_expires_at: string | null;
  password: { expires_at: string | null; changed_at: string | null; never_expires: boolean };
  groups: DirectoryGroups;
  photo: string | null;
  attributes: DirectoryAttribute[] | null;
  truncated: boolean;
}

/** What a directory says to a name and password, when an account has the same address already. */
export interface LinkRequired {
  status: 'confirm_link';
  token: string;
  expires_at: string;
}
