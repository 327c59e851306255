-- Slice: hosts (inventory, vitals, status, samples).
-- Locks: none, new tables only. Safe while the previous release runs: yes (first release).

CREATE EXTENSION IF NOT EXISTS pg_trgm;

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
    search_text   text        NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    deleted_at    timestamptz
);
COMMENT ON COLUMN hosts.search_text IS 'lower(hostname, display name, addresses), one per line; what free-text search looks at';
CREATE UNIQUE INDEX hosts_hostname_key ON hosts (org_id, lower(hostname)) WHERE deleted_at IS NULL;
CREATE INDEX hosts_identity_ips_idx ON hosts USING gin (identity_ips) WHERE deleted_at IS NULL;
CREATE INDEX hosts_os_idx ON hosts (org_id, os) WHERE deleted_at IS NULL;
CREATE INDEX hosts_search_idx ON hosts USING gin (search_text gin_trgm_ops) WHERE deleted_at IS NULL;

-- The projection of what changes with every heartbeat. Narrow, and without indexes on changing columns, so that
-- updates stay on their page (HOT); sorting 100,000 of these rows is cheaper than keeping indexes on them.
CREATE TABLE host_vitals (
    host_id           uuid        PRIMARY KEY REFERENCES hosts (id) ON DELETE CASCADE,
    org_id            uuid        NOT NULL,
    status            text        NOT NULL DEFAULT 'unknown' CHECK (status IN ('online', 'offline', 'pending', 'unknown')),
    cpu_centi         smallint    CHECK (cpu_centi BETWEEN 0 AND 10000),
    memory_centi      smallint    CHECK (memory_centi BETWEEN 0 AND 10000),
    disk_centi        smallint    CHECK (disk_centi BETWEEN 0 AND 10000),
    uptime_seconds    bigint      CHECK (uptime_seconds >= 0),
    recorded_at       timestamptz,
    last_seen_at      timestamptz,
    status_changed_at timestamptz NOT NULL,
    clock_skewed      boolean     NOT NULL DEFAULT false
) WITH (fillfactor = 60);

CREATE TABLE metric_samples (
    host_id        uuid        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    cpu_centi      smallint,
    memory_centi   smallint,
    disk_centi     smallint,
    uptime_seconds bigint
) PARTITION BY RANGE (recorded_at);
CREATE INDEX metric_samples_host_idx ON metric_samples (host_id, recorded_at);
COMMENT ON TABLE metric_samples IS 'One row per scheduled heartbeat; day partitions are made by the server ahead of time';
CREATE TABLE metric_samples_default PARTITION OF metric_samples DEFAULT;
