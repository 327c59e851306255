-- Slice: foundation (queue offsets, dead letters, secrets, throttles, audit).
-- Locks: none, new tables only. Safe while the previous release runs: yes (first release).

CREATE TABLE consumer_offsets (
    group_name  text        NOT NULL,
    topic       text        NOT NULL,
    partition   integer     NOT NULL CHECK (partition >= 0),
    log_id      text        NOT NULL,
    next_offset bigint      NOT NULL CHECK (next_offset >= 0),
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (group_name, topic, partition)
);
COMMENT ON TABLE consumer_offsets IS 'Written in the same transaction as what the records caused; log_id tells a replaced queue from the one the offset belongs to';

CREATE TABLE dead_letters (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_name   text        NOT NULL,
    topic        text        NOT NULL,
    partition    integer     NOT NULL,
    log_id       text        NOT NULL,
    "offset"     bigint      NOT NULL,
    key          bytea       NOT NULL,
    payload      bytea       NOT NULL,
    reason       text        NOT NULL,
    parked_at    timestamptz NOT NULL,
    UNIQUE (group_name, topic, partition, log_id, "offset")
);

CREATE TABLE sealed_secrets (
    name       text        PRIMARY KEY,
    sealed     bytea       NOT NULL,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE sealed_secrets IS 'Values encrypted with the install key; the associated data of each is its name';

CREATE TABLE throttles (
    scope            text        NOT NULL,
    key              text        NOT NULL,
    hits             integer     NOT NULL CHECK (hits >= 0),
    window_started_at timestamptz NOT NULL,
    lock_level       integer     NOT NULL DEFAULT 0 CHECK (lock_level >= 0),
    locked_until     timestamptz,
    PRIMARY KEY (scope, key)
);
CREATE INDEX throttles_window_idx ON throttles (window_started_at);
