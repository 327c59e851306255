-- Slice: tasks (runs of work on hosts, their targets and output).
-- Locks: none, new tables only. Safe while the previous release runs: yes.

CREATE TABLE task_runs (
    id           uuid        PRIMARY KEY,
    org_id       uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    kind         text        NOT NULL CHECK (char_length(kind) BETWEEN 1 AND 64),
    config_json  text        NOT NULL DEFAULT '{}',
    max_parallel integer     NOT NULL DEFAULT 0 CHECK (max_parallel BETWEEN 0 AND 100),
    status       text        NOT NULL DEFAULT 'pending'
                 CHECK (status IN ('pending', 'running', 'cancelling', 'cancelled', 'completed', 'failed')),
    created_by   uuid        REFERENCES users (id) ON DELETE SET NULL,
    created_at   timestamptz NOT NULL,
    start_by     timestamptz NOT NULL,
    started_at   timestamptz,
    completed_at timestamptz
);
CREATE INDEX task_runs_completed_at_idx ON task_runs (completed_at) WHERE completed_at IS NOT NULL;
COMMENT ON COLUMN task_runs.max_parallel IS 'Targets running at a time; 0 means all';
COMMENT ON COLUMN task_runs.start_by IS 'Targets that could not be sent until then are skipped';

-- One row per host of a run; its id is the task id that agents see.
CREATE TABLE task_targets (
    id                  uuid        PRIMARY KEY,
    run_id              uuid        NOT NULL REFERENCES task_runs (id) ON DELETE CASCADE,
    org_id              uuid        NOT NULL,
    host_id             uuid        NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    position            integer     NOT NULL,
    status              text        NOT NULL DEFAULT 'pending'
                        CHECK (status IN ('pending', 'running', 'cancelling', 'cancelled', 'success', 'failed', 'skipped')),
    skip_reason         text,
    exit_code           integer,
    result_json         text,
    error               text        NOT NULL DEFAULT '',
    output_bytes        bigint      NOT NULL DEFAULT 0,
    started_at          timestamptz,
    cancel_requested_at timestamptz,
    completed_at        timestamptz
);
CREATE INDEX task_targets_run_id_idx ON task_targets (run_id, position);
CREATE INDEX task_targets_host_id_idx ON task_targets (host_id, id);
CREATE INDEX task_targets_open_idx ON task_targets (host_id) WHERE status IN ('pending', 'running', 'cancelling');

CREATE TABLE task_output (
    task_id uuid   NOT NULL REFERENCES task_targets (id) ON DELETE CASCADE,
    seq     bigint GENERATED ALWAYS AS IDENTITY,
    chunk   text   NOT NULL,
    PRIMARY KEY (task_id, seq)
);
COMMENT ON TABLE task_output IS 'Output of tasks as it arrived; task_targets.output_bytes bounds it';
