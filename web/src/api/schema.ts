/** The shapes of the web API, as `api/openapi.json` declares them. */

export type Permission =
  | 'hosts.read'
  | 'agents.read'
  | 'agents.approve'
  | 'enrolment.manage'
  | 'enrolment.auto_approve'
  | 'settings.read'
  | 'settings.write'
  | 'sessions.own';

export interface Page<T> {
  items: T[];
  page: number;
  page_size: number;
  total: number;
}

export interface ListOf<T> {
  items: T[];
}

export interface CursorPage<T> {
  items: T[];
  next_cursor: string | null;
}

export interface FieldProblem {
  path: string;
  code: string;
  message: string;
}

export interface ProblemBody {
  status: number;
  code: string;
  detail?: string;
  fields?: FieldProblem[];
  request_id?: string;
}

export interface AuthMethods {
  setup_required: boolean;
  setup_code_required: boolean;
  email_verification_required: boolean;
  methods: { kind: 'password' }[];
}

export interface SetupRequest {
  organisation_name: string;
  name: string;
  email: string;
  password: string;
  password_confirmation: string;
  setup_code?: string;
}

export interface LoginRequest {
  email: string;
  password: string;
}

export interface Me {
  user: { id: string; name: string; email: string; email_verified: boolean };
  organisation: { id: string; name: string };
  roles: string[];
  permissions: string[];
  session: { id: string; expires_at: string };
}

export interface SessionRow {
  id: string;
  current: boolean;
  method: string;
  ip: string | null;
  user_agent: string | null;
  created_at: string;
  last_used_at: string;
  expires_at: string;
}

export interface PersonRef {
  id: string;
  name: string;
}

export interface Tag {
  key: string;
  value: string;
}

export type TokenStatus = 'active' | 'expired' | 'exhausted' | 'revoked';

export interface Token {
  id: string;
  label: string;
  hint_prefix: string;
  hint_suffix: string;
  status: TokenStatus;
  auto_approve: boolean;
  skip_verify: boolean;
  max_uses: number | null;
  usage_count: number;
  expires_at: string | null;
  tags: Tag[];
  created_by: PersonRef | null;
  created_at: string;
  revoked_at: string | null;
}

export interface CreateTokenRequest {
  label: string;
  auto_approve: boolean;
  skip_verify: boolean;
  max_uses: number | null;
  expires_in_days: number | null;
  tags: Tag[];
}

export interface CreatedToken {
  token: Token;
  secret: string;
  install_command: string;
  ingest_address: string;
  warnings: { code: string; message: string }[];
}

export type ReenrolmentPolicy = 'adopt' | 'adopt_after_approval' | 'refuse';

export interface EnrolmentSettings {
  reenrolment_policy: ReenrolmentPolicy;
}

export type AgentStatus = 'pending' | 'active' | 'offline' | 'revoked';

export interface CertificateRef {
  serial: string;
  not_after: string;
}

export interface Collision {
  host_id: string;
  hostname: string;
  status: HostStatus;
  matched_on: 'machine_id' | 'hostname' | 'address';
}

export interface Agent {
  id: string;
  host_id: string | null;
  hostname: string;
  status: AgentStatus;
  version: string | null;
  os: string | null;
  arch: string | null;
  ip_addresses: string[];
  key_fingerprint: string;
  token: { id: string; label: string } | null;
  registered_at: string;
  approved_at: string | null;
  pending_reason: string | null;
  collision: Collision | null;
  certificate: CertificateRef | null;
  last_heartbeat_at: string | null;
}

export interface AgentHistoryEntry {
  status: string;
  reason: string | null;
  actor: PersonRef | null;
  at: string;
}

export type HostStatus = 'online' | 'offline' | 'unknown' | 'pending';

export interface HostRow {
  id: string;
  hostname: string;
  display_name: string | null;
  os: string | null;
  os_version: string | null;
  arch: string | null;
  ip_addresses: string[];
  status: HostStatus;
  stale: boolean;
  cpu_percent: number | null;
  memory_percent: number | null;
  disk_percent: number | null;
  last_seen_at: string | null;
  agent: { id: string; version: string | null } | null;
}

export interface HostSummary {
  total: number;
  online: number;
  online_percent: number | null;
  offline: number;
  unknown: number;
  stale: number;
  pending_approval: number;
  hotspots: { cpu: number; memory: number; disk: number };
}

export interface Facet {
  value: string | null;
  count: number;
  percent: number;
}

export interface HostFacets {
  os: Facet[];
  arch: Facet[];
  agent_version: Facet[];
}

export interface Disk {
  mount_point: string;
  device: string;
  fs_type: string;
  total_bytes: number;
  used_bytes: number;
  free_bytes: number;
  percent_used: number | null;
}

export interface NetworkInterface {
  name: string;
  ip_addresses: string[];
  mac_address: string | null;
  is_up: boolean;
}

export interface HostAgent {
  id: string;
  version: string | null;
  status: AgentStatus;
  registered_at: string;
  approved_at: string | null;
  approved_by: PersonRef | null;
  key_fingerprint: string;
  certificate: CertificateRef | null;
  last_heartbeat_at: string | null;
  heartbeat_interval_seconds: number;
}

export interface HostDetail extends Omit<HostRow, 'agent'> {
  first_seen_at: string | null;
  uptime_seconds: number | null;
  clock_skewed: boolean;
  recorded_at: string | null;
  disks: Disk[];
  interfaces: NetworkInterface[];
  agent: HostAgent | null;
}

export interface Sample {
  at: string;
  cpu_percent: number | null;
  memory_percent: number | null;
  disk_percent: number | null;
}

/** Data of the server-sent event `host.updated`. */
export interface HostUpdate {
  id: string;
  status: HostStatus;
  cpu_percent: number | null;
  memory_percent: number | null;
  disk_percent: number | null;
  uptime_seconds: number | null;
  last_seen_at: string | null;
  recorded_at: string | null;
}

/** Data of the server-sent event `fleet.changed`. */
export interface FleetChange {
  kinds: ('vitals' | 'status' | 'agents' | 'hosts')[];
}
