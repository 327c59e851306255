-- Slice: checks (health checks that agents run, and their results).
-- Locks: none, new tables only. Safe while the previous release runs: yes.

CREATE TABLE checks (
    id               uuid        PRIMARY KEY,
    org_id           uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    host_id          uuid        NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    name             text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    kind             text        NOT NULL CHECK (kind IN ('port', 'process', 'http', 'certificate', 'cert_file',
                                                          'service_account', 'ssh_key_scan', 'patch_status', 'script')),
    config           jsonb       NOT NULL,
    secrets          bytea,
    interval_seconds integer     NOT NULL CHECK (interval_seconds BETWEEN 10 AND 3600),
    enabled          boolean     NOT NULL DEFAULT true,
    version          integer     NOT NULL DEFAULT 1,
    run_requested_at timestamptz,
    run_answered     boolean     NOT NULL DEFAULT true,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    deleted_at       timestamptz
);
CREATE INDEX checks_host_id_idx ON checks (host_id, id);
COMMENT ON COLUMN checks.config IS 'Parameters without secrets, validated and with defaults filled in';
COMMENT ON COLUMN checks.secrets IS 'Sealed with the install key: JSON of the keystore password and secret header values';

CREATE TABLE check_results (
    check_id    uuid        NOT NULL,
    host_id     uuid        NOT NULL,
    ran_at      timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    status      text        NOT NULL CHECK (status IN ('pass', 'fail', 'error')),
    duration_ms bigint      NOT NULL,
    output      text        NOT NULL,
    PRIMARY KEY (check_id, ran_at)
);
COMMENT ON TABLE check_results IS 'Pruned per check by a job; the key makes a repeated result one row';
