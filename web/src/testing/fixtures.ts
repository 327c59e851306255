import type {
  Agent,
  AuthMethods,
  CreatedToken,
  HostDetail,
  HostFacets,
  HostRow,
  HostSummary,
  Me,
  Page,
  Permission,
  SessionRow,
  Token,
} from '@/api/schema';

export const READ_ONLY: Permission[] = ['hosts.read', 'agents.read', 'sessions.own'];

export const ORG_ADMIN: Permission[] = [
  ...READ_ONLY,
  'agents.approve',
  'enrolment.manage',
  'settings.read',
  'settings.write',
  'mail.pending',
  'system.read',
];

const SUPER_ADMIN: Permission[] = [...ORG_ADMIN, 'enrolment.auto_approve'];

/** A moment before now, as the server writes times. */
export function ago(seconds: number): string {
  return new Date(Date.now() - seconds * 1_000).toISOString();
}

export function aMe(permissions: Permission[] = SUPER_ADMIN): Me {
  return {
    user: { id: 'u1', name: 'Ada Moss', email: 'ada@example.net', email_verified: true },
    organisation: { id: 'o1', name: 'Northwind' },
    standing: 'active',
    roles: ['super_admin'],
    permissions,
    session: { id: 's1', expires_at: ago(-86_400) },
  };
}

export function methods(more: Partial<AuthMethods> = {}): AuthMethods {
  return {
    setup_required: false,
    setup_code_required: true,
    email_verification_required: true,
    registration_open: false,
    password_reset_offered: true,
    legal_notice: '',
    methods: [{ kind: 'password' }],
    ...more,
  };
}

export function pageOf<T>(items: T[], more: Partial<Page<T>> = {}): Page<T> {
  return { items, page: 1, page_size: 50, total: items.length, ...more };
}

export function aHost(more: Partial<HostRow> = {}): HostRow {
  return {
    id: 'h1',
    hostname: 'web-01',
    display_name: '',
    os: 'linux',
    os_version: 'Debian GNU/Linux 12 (bookworm)',
    arch: 'amd64',
    ip_addresses: ['192.0.2.10'],
    status: 'online',
    stale: false,
    cpu_percent: 12.3,
    memory_percent: 45.6,
    disk_percent: 7.8,
    last_seen_at: ago(200),
    agent: { id: 'a1', version: '0.1.0' },
    ...more,
  };
}

export function aHostDetail(more: Partial<HostDetail> = {}): HostDetail {
  return {
    ...aHost(),
    first_seen_at: ago(86_400 * 3 + 600),
    uptime_seconds: 93_784,
    clock_skewed: false,
    recorded_at: ago(20),
    disks: [
      {
        mount_point: '/',
        device: '/dev/vda1',
        fs_type: 'ext4',
        total_bytes: 107_374_182_400,
        used_bytes: 97_710_505_984,
        free_bytes: 9_663_676_416,
        percent_used: 91,
      },
    ],
    interfaces: [
      { name: 'eth0', ip_addresses: ['192.0.2.10'], mac_address: '52:54:00:00:00:01', is_up: true },
      { name: 'eth1', ip_addresses: [], mac_address: '52:54:00:00:00:02', is_up: false },
    ],
    agent: {
      id: 'a1',
      version: '0.1.0',
      status: 'active',
      registered_at: ago(86_400 * 3 + 600),
      approved_at: ago(86_400 * 3 + 600),
      approved_by: { id: 'u1', name: 'Ada Moss' },
      key_fingerprint: 'SHA256:host-key',
      certificate: { serial: '1f2e', not_after: ago(-86_400 * 60 - 600) },
      last_heartbeat_at: ago(200),
      heartbeat_interval_seconds: 30,
    },
    ...more,
  };
}

export function aSummary(more: Partial<HostSummary> = {}): HostSummary {
  return {
    total: 10,
    online: 7,
    online_percent: 70,
    offline: 2,
    unknown: 1,
    stale: 3,
    pending_approval: 0,
    hotspots: { cpu: 1, memory: 2, disk: 0 },
    ...more,
  };
}

export const NO_HOSTS: HostSummary = {
  total: 0,
  online: 0,
  online_percent: null,
  offline: 0,
  unknown: 0,
  stale: 0,
  pending_approval: 0,
  hotspots: { cpu: 0, memory: 0, disk: 0 },
};

export function facets(os: HostFacets['os'] = []): HostFacets {
  return { os, arch: [], agent_version: [] };
}

export function anAgent(more: Partial<Agent> = {}): Agent {
  return {
    id: 'a1',
    host_id: 'h1',
    hostname: 'web-01',
    status: 'active',
    version: '0.1.0',
    os: 'linux',
    arch: 'amd64',
    ip_addresses: ['192.0.2.10'],
    key_fingerprint: 'SHA256:agent-key',
    token: { id: 't1', label: 'Rack 4' },
    registered_at: ago(620),
    approved_at: ago(500),
    pending_reason: null,
    collision: null,
    certificate: { serial: '1f2e', not_after: ago(-86_400 * 60 - 600) },
    last_heartbeat_at: ago(200),
    ...more,
  };
}

export function aPendingAgent(more: Partial<Agent> = {}): Agent {
  return anAgent({
    status: 'pending',
    approved_at: null,
    certificate: null,
    last_heartbeat_at: null,
    ...more,
  });
}

export function aToken(more: Partial<Token> = {}): Token {
  return {
    id: 't1',
    label: 'Rack 4',
    hint_prefix: 'tok_AbCd',
    hint_suffix: 'wXyZ',
    status: 'active',
    auto_approve: false,
    skip_verify: false,
    max_uses: 1,
    usage_count: 0,
    expires_at: ago(-86_400 * 7 - 600),
    tags: [],
    created_by: { id: 'u1', name: 'Ada Moss' },
    created_at: ago(80),
    revoked_at: null,
    ...more,
  };
}

export const CREATED: CreatedToken = {
  token: aToken(),
  secret: 'tok_AbCd-the-secret-wXyZ',
  install_command: "curl -fsSL https://ops/install.sh | env CT_OPS_ENROLMENT_TOKEN='tok_AbCd' sh",
  ingest_address: 'ops.example.net:9443',
  warnings: [],
};

export function aSession(more: Partial<SessionRow> = {}): SessionRow {
  return {
    id: 's1',
    current: true,
    method: 'password',
    second_factor: false,
    ip: '192.0.2.77',
    user_agent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    created_at: ago(3_700),
    last_used_at: ago(200),
    expires_at: ago(-86_400),
    ...more,
  };
}
