-- Slice: containers (runtimes, containers, events, samples, settings).
-- Locks: none, new tables only. Safe while the previous release runs: yes.

CREATE TABLE container_settings (
    org_id                     uuid        PRIMARY KEY REFERENCES organisations (id) ON DELETE CASCADE,
    enabled                    boolean     NOT NULL DEFAULT true,
    sample_interval_seconds    integer     NOT NULL DEFAULT 10 CHECK (sample_interval_seconds BETWEEN 2 AND 300),
    inventory_interval_seconds integer     NOT NULL DEFAULT 30 CHECK (inventory_interval_seconds BETWEEN 30 AND 3600),
    retention_days             integer     NOT NULL DEFAULT 30 CHECK (retention_days BETWEEN 1 AND 365),
    label_prefixes             text[]      NOT NULL DEFAULT '{}',
    updated_at                 timestamptz NOT NULL
);
COMMENT ON TABLE container_settings IS 'No row means the defaults; agents know those and are told nothing';

CREATE TABLE container_host_settings (
    host_id        uuid        PRIMARY KEY REFERENCES hosts (id) ON DELETE CASCADE,
    org_id         uuid        NOT NULL,
    enabled        boolean,
    retention_days integer     CHECK (retention_days BETWEEN 1 AND 365),
    updated_at     timestamptz NOT NULL
);
COMMENT ON TABLE container_host_settings IS 'Null means: as the organisation';

CREATE TABLE container_runtimes (
    host_id          uuid        NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    runtime          text        NOT NULL CHECK (runtime IN ('docker', 'podman')),
    org_id           uuid        NOT NULL,
    status           text        NOT NULL DEFAULT 'unknown'
                     CHECK (status IN ('not_installed', 'installed', 'permission_denied', 'unreachable', 'error', 'unknown')),
    version          text,
    api_version      text,
    error            text        CHECK (octet_length(error) <= 512),
    checked_at       timestamptz,
    reported_at      timestamptz,
    last_complete_at timestamptz,
    lost_samples     bigint      NOT NULL DEFAULT 0,
    rejected_samples bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (host_id, runtime)
);
COMMENT ON COLUMN container_runtimes.last_complete_at IS 'Arrival of the last complete inventory';
COMMENT ON COLUMN container_runtimes.lost_samples IS 'Samples that the agent had to drop';
COMMENT ON COLUMN container_runtimes.rejected_samples IS 'Samples with times or values that cannot be right, or of unknown containers';

CREATE TABLE containers (
    id                uuid        PRIMARY KEY,
    org_id            uuid        NOT NULL,
    host_id           uuid        NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    runtime           text        NOT NULL,
    container_id      text        COLLATE "C" NOT NULL CHECK (octet_length(container_id) BETWEEN 1 AND 128),
    primary_name      text        NOT NULL,
    names             text[]      NOT NULL,
    image             text        NOT NULL,
    image_id          text        NOT NULL,
    labels            jsonb       NOT NULL DEFAULT '{}',
    project           text,
    state             text        NOT NULL,
    status            text        NOT NULL,
    health            text,
    exit_code         integer,
    restart_count     integer     NOT NULL,
    created_at_source  timestamptz,
    started_at_source  timestamptz,
    finished_at_source timestamptz,
    first_seen_at     timestamptz NOT NULL,
    last_seen_at      timestamptz NOT NULL,
    last_inventory_id text,
    is_present        boolean     NOT NULL DEFAULT true,
    UNIQUE (host_id, runtime, container_id)
) WITH (fillfactor = 80);
-- Without last_seen_at, which every inventory changes: so updates stay on their page (HOT), and a host has few containers.
CREATE INDEX containers_host_idx ON containers (org_id, host_id, is_present);
CREATE INDEX containers_image_idx ON containers (org_id, image);

CREATE TABLE container_events (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host_id       uuid        NOT NULL,
    container_id  uuid        NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    kind          text        NOT NULL
                  CHECK (kind IN ('started', 'stopped', 'restarted', 'disappeared', 'appeared', 'health_changed')),
    occurred_at   timestamptz NOT NULL,
    state         text        NOT NULL,
    health        text,
    restart_count integer     NOT NULL,
    exit_code     integer,
    UNIQUE (container_id, kind, occurred_at)
);
CREATE INDEX container_events_time_idx ON container_events (occurred_at);

CREATE TABLE container_samples (
    container_id    uuid        NOT NULL,
    recorded_at     timestamptz NOT NULL,
    cpu_percent     real        NOT NULL,
    cpu_cores       real,
    memory_used     bigint      NOT NULL,
    memory_limit    bigint,
    memory_percent  real        NOT NULL,
    rx_bytes        bigint      NOT NULL,
    tx_bytes        bigint      NOT NULL,
    rx_bps          real,
    tx_bps          real,
    block_read_bytes  bigint    NOT NULL,
    block_write_bytes bigint    NOT NULL,
    block_read_bps  real,
    block_write_bps real,
    pids            integer     NOT NULL,
    restart_count   integer     NOT NULL,
    PRIMARY KEY (container_id, recorded_at)
) PARTITION BY RANGE (recorded_at);
COMMENT ON TABLE container_samples IS 'Rates are per second since the sample before; null after a restart or a gap. Day partitions are made ahead of time';
COMMENT ON COLUMN container_samples.cpu_percent IS 'Per cent of one core, so more than 100 on several';
CREATE TABLE container_samples_default PARTITION OF container_samples DEFAULT;

CREATE TABLE container_batches (
    host_id         uuid        NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    batch_id        text        COLLATE "C" NOT NULL CHECK (octet_length(batch_id) BETWEEN 1 AND 256),
    sequence        bigint      NOT NULL,
    samples         integer     NOT NULL,
    inventory_items integer     NOT NULL,
    dropped         bigint      NOT NULL,
    received_at     timestamptz NOT NULL,
    PRIMARY KEY (host_id, batch_id)
);
CREATE INDEX container_batches_received_idx ON container_batches (received_at);
COMMENT ON TABLE container_batches IS 'Batches of the last 7 days: a repeated one is acknowledged and not stored again';
