-- Slice: metrics (history of measurements: samples, aggregates, retention).
-- Locks: metric_samples for a moment, to add columns without values; new tables otherwise.
-- Safe while the previous release runs: yes, it leaves the new columns empty.

ALTER TABLE metric_samples
    ADD COLUMN swap_centi    smallint,
    ADD COLUMN load1_centi   integer,
    ADD COLUMN load5_centi   integer,
    ADD COLUMN load15_centi  integer,
    ADD COLUMN process_count integer;

-- The key ends with the name, so that all mount points of a host at one time lie side by side: a chart asks for them
-- together.
CREATE TABLE host_disk_samples (
    host_id     uuid        NOT NULL,
    recorded_at timestamptz NOT NULL,
    mount_point text        NOT NULL CHECK (char_length(mount_point) BETWEEN 1 AND 255),
    total_bytes bigint      NOT NULL,
    used_bytes  bigint      NOT NULL,
    used_centi  smallint    NOT NULL,
    PRIMARY KEY (host_id, recorded_at, mount_point)
) PARTITION BY RANGE (recorded_at);
COMMENT ON TABLE host_disk_samples IS 'Space used on each mount point, once a minute';
CREATE TABLE host_disk_samples_default PARTITION OF host_disk_samples DEFAULT;

CREATE TABLE host_network_samples (
    host_id               uuid        NOT NULL,
    recorded_at           timestamptz NOT NULL,
    interface             text        NOT NULL CHECK (char_length(interface) BETWEEN 1 AND 255),
    receive_bytes         bigint      NOT NULL,
    transmit_bytes        bigint      NOT NULL,
    receive_errors_centi  integer     NOT NULL,
    transmit_errors_centi integer     NOT NULL,
    PRIMARY KEY (host_id, recorded_at, interface)
) PARTITION BY RANGE (recorded_at);
COMMENT ON TABLE host_network_samples IS 'Traffic per second of each interface since the sample before';
CREATE TABLE host_network_samples_default PARTITION OF host_network_samples DEFAULT;

-- Aggregates. Sums and counts instead of averages: they can be added up again, into coarser levels and into the buckets
-- of a chart, without an error. What was not measured is absent, and takes no room.

CREATE TABLE metric_samples_1m (
    host_id             uuid        NOT NULL,
    bucket              timestamptz NOT NULL,
    samples             integer     NOT NULL,
    first_at            timestamptz NOT NULL,
    last_at             timestamptz NOT NULL,
    cpu_centi_count     integer,
    cpu_centi_sum       bigint,
    cpu_centi_min       smallint,
    cpu_centi_max       smallint,
    memory_centi_count  integer,
    memory_centi_sum    bigint,
    memory_centi_min    smallint,
    memory_centi_max    smallint,
    disk_centi_count    integer,
    disk_centi_sum      bigint,
    disk_centi_min      smallint,
    disk_centi_max      smallint,
    swap_centi_count    integer,
    swap_centi_sum      bigint,
    swap_centi_min      smallint,
    swap_centi_max      smallint,
    load1_centi_count   integer,
    load1_centi_sum     bigint,
    load1_centi_min     integer,
    load1_centi_max     integer,
    load5_centi_count   integer,
    load5_centi_sum     bigint,
    load5_centi_min     integer,
    load5_centi_max     integer,
    load15_centi_count  integer,
    load15_centi_sum    bigint,
    load15_centi_min    integer,
    load15_centi_max    integer,
    process_count_count integer,
    process_count_sum   bigint,
    process_count_min   integer,
    process_count_max   integer,
    PRIMARY KEY (host_id, bucket)
) PARTITION BY RANGE (bucket);
CREATE TABLE metric_samples_1m_default PARTITION OF metric_samples_1m DEFAULT;

CREATE TABLE metric_samples_1h (
    host_id             uuid        NOT NULL,
    bucket              timestamptz NOT NULL,
    samples             integer     NOT NULL,
    first_at            timestamptz NOT NULL,
    last_at             timestamptz NOT NULL,
    cpu_centi_count     integer,
    cpu_centi_sum       bigint,
    cpu_centi_min       smallint,
    cpu_centi_max       smallint,
    memory_centi_count  integer,
    memory_centi_sum    bigint,
    memory_centi_min    smallint,
    memory_centi_max    smallint,
    disk_centi_count    integer,
    disk_centi_sum      bigint,
    disk_centi_min      smallint,
    disk_centi_max      smallint,
    swap_centi_count    integer,
    swap_centi_sum      bigint,
    swap_centi_min      smallint,
    swap_centi_max      smallint,
    load1_centi_count   integer,
    load1_centi_sum     bigint,
    load1_centi_min     integer,
    load1_centi_max     integer,
    load5_centi_count   integer,
    load5_centi_sum     bigint,
    load5_centi_min     integer,
    load5_centi_max     integer,
    load15_centi_count  integer,
    load15_centi_sum    bigint,
    load15_centi_min    integer,
    load15_centi_max    integer,
    process_count_count integer,
    process_count_sum   bigint,
    process_count_min   integer,
    process_count_max   integer,
    PRIMARY KEY (host_id, bucket)
) PARTITION BY RANGE (bucket);
CREATE TABLE metric_samples_1h_default PARTITION OF metric_samples_1h DEFAULT;

CREATE TABLE metric_samples_1d (
    host_id             uuid        NOT NULL,
    bucket              timestamptz NOT NULL,
    samples             integer     NOT NULL,
    first_at            timestamptz NOT NULL,
    last_at             timestamptz NOT NULL,
    cpu_centi_count     integer,
    cpu_centi_sum       bigint,
    cpu_centi_min       smallint,
    cpu_centi_max       smallint,
    memory_centi_count  integer,
    memory_centi_sum    bigint,
    memory_centi_min    smallint,
    memory_centi_max    smallint,
    disk_centi_count    integer,
    disk_centi_sum      bigint,
    disk_centi_min      smallint,
    disk_centi_max      smallint,
    swap_centi_count    integer,
    swap_centi_sum      bigint,
    swap_centi_min      smallint,
    swap_centi_max      smallint,
    load1_centi_count   integer,
    load1_centi_sum     bigint,
    load1_centi_min     integer,
    load1_centi_max     integer,
    load5_centi_count   integer,
    load5_centi_sum     bigint,
    load5_centi_min     integer,
    load5_centi_max     integer,
    load15_centi_count  integer,
    load15_centi_sum    bigint,
    load15_centi_min    integer,
    load15_centi_max    integer,
    process_count_count integer,
    process_count_sum   bigint,
    process_count_min   integer,
    process_count_max   integer,
    PRIMARY KEY (host_id, bucket)
);

CREATE TABLE host_disk_samples_1m (
    host_id          uuid        NOT NULL,
    bucket           timestamptz NOT NULL,
    mount_point      text        NOT NULL,
    samples          integer     NOT NULL,
    first_at         timestamptz NOT NULL,
    last_at          timestamptz NOT NULL,
    used_centi_count integer,
    used_centi_sum   bigint,
    used_centi_min   smallint,
    used_centi_max   smallint,
    PRIMARY KEY (host_id, bucket, mount_point)
) PARTITION BY RANGE (bucket);
CREATE TABLE host_disk_samples_1m_default PARTITION OF host_disk_samples_1m DEFAULT;

CREATE TABLE host_disk_samples_1h (
    host_id          uuid        NOT NULL,
    bucket           timestamptz NOT NULL,
    mount_point      text        NOT NULL,
    samples          integer     NOT NULL,
    first_at         timestamptz NOT NULL,
    last_at          timestamptz NOT NULL,
    used_centi_count integer,
    used_centi_sum   bigint,
    used_centi_min   smallint,
    used_centi_max   smallint,
    PRIMARY KEY (host_id, bucket, mount_point)
) PARTITION BY RANGE (bucket);
CREATE TABLE host_disk_samples_1h_default PARTITION OF host_disk_samples_1h DEFAULT;

CREATE TABLE host_disk_samples_1d (
    host_id          uuid        NOT NULL,
    bucket           timestamptz NOT NULL,
    mount_point      text        NOT NULL,
    samples          integer     NOT NULL,
    first_at         timestamptz NOT NULL,
    last_at          timestamptz NOT NULL,
    used_centi_count integer,
    used_centi_sum   bigint,
    used_centi_min   smallint,
    used_centi_max   smallint,
    PRIMARY KEY (host_id, bucket, mount_point)
);

CREATE TABLE host_network_samples_1m (
    host_id                     uuid        NOT NULL,
    bucket                      timestamptz NOT NULL,
    interface                   text        NOT NULL,
    samples                     integer     NOT NULL,
    first_at                    timestamptz NOT NULL,
    last_at                     timestamptz NOT NULL,
    receive_bytes_count         integer,
    receive_bytes_sum           bigint,
    receive_bytes_min           bigint,
    receive_bytes_max           bigint,
    transmit_bytes_count        integer,
    transmit_bytes_sum          bigint,
    transmit_bytes_min          bigint,
    transmit_bytes_max          bigint,
    receive_errors_centi_count  integer,
    receive_errors_centi_sum    bigint,
    receive_errors_centi_min    integer,
    receive_errors_centi_max    integer,
    transmit_errors_centi_count integer,
    transmit_errors_centi_sum   bigint,
    transmit_errors_centi_min   integer,
    transmit_errors_centi_max   integer,
    PRIMARY KEY (host_id, bucket, interface)
) PARTITION BY RANGE (bucket);
CREATE TABLE host_network_samples_1m_default PARTITION OF host_network_samples_1m DEFAULT;

CREATE TABLE host_network_samples_1h (
    host_id                     uuid        NOT NULL,
    bucket                      timestamptz NOT NULL,
    interface                   text        NOT NULL,
    samples                     integer     NOT NULL,
    first_at                    timestamptz NOT NULL,
    last_at                     timestamptz NOT NULL,
    receive_bytes_count         integer,
    receive_bytes_sum           bigint,
    receive_bytes_min           bigint,
    receive_bytes_max           bigint,
    transmit_bytes_count        integer,
    transmit_bytes_sum          bigint,
    transmit_bytes_min          bigint,
    transmit_bytes_max          bigint,
    receive_errors_centi_count  integer,
    receive_errors_centi_sum    bigint,
    receive_errors_centi_min    integer,
    receive_errors_centi_max    integer,
    transmit_errors_centi_count integer,
    transmit_errors_centi_sum   bigint,
    transmit_errors_centi_min   integer,
    transmit_errors_centi_max   integer,
    PRIMARY KEY (host_id, bucket, interface)
) PARTITION BY RANGE (bucket);
CREATE TABLE host_network_samples_1h_default PARTITION OF host_network_samples_1h DEFAULT;

CREATE TABLE host_network_samples_1d (
    host_id                     uuid        NOT NULL,
    bucket                      timestamptz NOT NULL,
    interface                   text        NOT NULL,
    samples                     integer     NOT NULL,
    first_at                    timestamptz NOT NULL,
    last_at                     timestamptz NOT NULL,
    receive_bytes_count         integer,
    receive_bytes_sum           bigint,
    receive_bytes_min           bigint,
    receive_bytes_max           bigint,
    transmit_bytes_count        integer,
    transmit_bytes_sum          bigint,
    transmit_bytes_min          bigint,
    transmit_bytes_max          bigint,
    receive_errors_centi_count  integer,
    receive_errors_centi_sum    bigint,
    receive_errors_centi_min    integer,
    receive_errors_centi_max    integer,
    transmit_errors_centi_count integer,
    transmit_errors_centi_sum   bigint,
    transmit_errors_centi_min   integer,
    transmit_errors_centi_max   integer,
    PRIMARY KEY (host_id, bucket, interface)
);

-- How far the aggregates are. One row.
CREATE TABLE metric_progress (
    singleton    boolean     PRIMARY KEY DEFAULT true CHECK (singleton),
    storage      text        NOT NULL DEFAULT 'partitions'
                 CHECK (storage IN ('partitions', 'hypertables', 'continuous')),
    closed_until timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',
    minutes_until timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',
    hours_until  timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',
    days_until   timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00'
);
INSERT INTO metric_progress DEFAULT VALUES;
COMMENT ON COLUMN metric_progress.closed_until IS 'A sample from before this moment is noted in metric_late by whoever writes it';
COMMENT ON COLUMN metric_progress.minutes_until IS 'Aggregates of one minute exist up to here; hours_until and days_until likewise';
COMMENT ON COLUMN metric_progress.storage IS 'partitions: plain PostgreSQL; hypertables: TimescaleDB under the Apache licence; continuous: with continuous aggregates';

-- Ten minutes of one host whose aggregates have to be made again, because samples arrived after they were made.
CREATE TABLE metric_late (
    host_id uuid        NOT NULL,
    slot    timestamptz NOT NULL,
    PRIMARY KEY (host_id, slot)
);

CREATE TABLE metric_retention (
    org_id     uuid        PRIMARY KEY REFERENCES organisations (id) ON DELETE CASCADE,
    days       integer     NOT NULL CHECK (days BETWEEN 1 AND 365),
    updated_at timestamptz NOT NULL
);
COMMENT ON TABLE metric_retention IS 'Days of metrics an organisation keeps; 30 without a row';

-- What the settings page shows about the history, counted with every retention run.
CREATE TABLE metric_storage (
    resolution  text        PRIMARY KEY CHECK (resolution IN ('raw', '1m', '1h', '1d')),
    rows        bigint      NOT NULL,
    bytes       bigint      NOT NULL,
    oldest_at   timestamptz,
    measured_at timestamptz NOT NULL
);
