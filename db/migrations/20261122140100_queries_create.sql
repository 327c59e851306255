-- Slice: queries (what people ask a host on demand).
-- Locks: none, new tables only. Safe while the previous release runs: yes.

CREATE TABLE agent_queries (
    id           uuid        PRIMARY KEY,
    org_id       uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    host_id      uuid        NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    kind         text        NOT NULL CHECK (kind IN ('list_ports', 'list_services')),
    status       text        NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'complete', 'error')),
    result_json  text,
    error        text        NOT NULL DEFAULT '',
    requested_by uuid        REFERENCES users (id) ON DELETE SET NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    completed_at timestamptz
);
CREATE INDEX agent_queries_open_idx ON agent_queries (host_id) WHERE status = 'pending';
CREATE INDEX agent_queries_expires_at_idx ON agent_queries (expires_at);
