/** Shapes of settings pages: values are whatever the keys say, so they are told apart by `type`. */

export type KeyType =
  | 'flag'
  | 'integer'
  | 'integers'
  | 'text'
  | 'long_text'
  | 'list'
  | 'choice'
  | 'choices'
  | 'secret';

export interface SettingsKey {
  name: string;
  title: string;
  about: string;
  type: KeyType;
  optional: boolean;
  least: number | null;
  most: number | null;
  choices: string[] | null;
  most_items: number | null;
  default: unknown;
  scope: 'install' | 'organisation' | 'team' | 'host';
  restart: boolean;
  env: string | null;
  env_only: boolean;
}

export interface SettingsPageSummary {
  name: string;
  title: string;
  section: string;
  writable: boolean;
  version: number;
  keys: SettingsKey[];
}

export interface SettingsPage extends SettingsPageSummary {
  values: Record<string, unknown>;
  sources: Record<string, 'default' | 'stored' | 'environment'>;
  secrets: Record<string, { set_at: string; set_by: string | null }>;
  faults: { key: string; message: string }[];
  updated_at: string | null;
  updated_by: { id: string; name: string } | null;
}

export interface SettingsChange {
  page?: string;
  key: string;
  before: unknown;
  after: unknown;
}

export interface SettingsPastSave {
  version: number;
  at: string;
  by: { id: string; name: string } | null;
  changes: SettingsChange[];
  secrets: string[];
}

export interface SettingsImport {
  applied: boolean;
  changes: SettingsChange[];
  faults: { key: string; message: string }[];
}

export interface SmtpTest {
  succeeded: boolean;
  steps: { step: string; ok: boolean; detail: string }[];
  needs_target: string | null;
}

export interface PendingMail {
  id: string;
  kind: string;
  to: string;
  subject: string;
  state: 'queued' | 'refused';
  attempts: number;
  last_error: string | null;
  has_link: boolean;
  created_at: string;
  expires_at: string;
}

export interface FeatureFlag {
  key: string;
  value: boolean;
  default: boolean;
  configurable: boolean;
  about: string;
  owner: string;
  removal: string | null;
  turned_at: string | null;
  turned_by: string | null;
}

export interface FeatureFlags {
  items: FeatureFlag[];
  unknown: string[];
}

export interface SystemHealth {
  checked_at: string;
  version: string;
  node: string;
  tier: string;
  warnings: { code: string; message: string }[];
  database: { version: string; size_bytes: number; replica_lag_seconds: number | null };
  queue: {
    kind: string;
    consumers: { group: string; topic: string; waiting: number | null; applied_at: string }[];
    dead_letters: number;
  };
  ingest_nodes: {
    id: string;
    name: string;
    alive: boolean;
    started_at: string;
    lease_until: string;
  }[];
  agents_by_version: { version: string; count: number }[];
  jobs: {
    name: string;
    node: string;
    every_seconds: number;
    last_run_at: string;
    duration_ms: number;
    succeeded: boolean;
    error: string | null;
    failures: number;
    last_success_at: string | null;
  }[];
  certificates: { name: string; not_after: string }[];
  volumes: { name: string; total_bytes: number; free_bytes: number }[];
  pending_mail: number;
}
