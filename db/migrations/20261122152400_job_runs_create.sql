-- Slice: system (the last run of every periodic job).
-- Locks: none, new table only. Safe while the previous release runs: yes.

CREATE TABLE job_runs (
    job           text        PRIMARY KEY,
    node          text        NOT NULL,
    every_seconds double precision NOT NULL CHECK (every_seconds > 0),
    started_at    timestamptz NOT NULL,
    duration_ms   bigint      NOT NULL CHECK (duration_ms >= 0),
    succeeded     boolean     NOT NULL,
    error         text,
    failures      bigint      NOT NULL DEFAULT 0 CHECK (failures >= 0),
    succeeded_at  timestamptz
);
COMMENT ON COLUMN job_runs.failures IS 'Runs that failed since the last one that succeeded';
