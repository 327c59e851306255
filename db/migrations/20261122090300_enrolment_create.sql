-- Slice: enrolment (tokens).
-- Locks: none, new tables only. Safe while the previous release runs: yes (first release).

CREATE TABLE agent_enrolment_tokens (
    id           uuid        PRIMARY KEY,
    org_id       uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    label        text        NOT NULL CHECK (char_length(label) BETWEEN 1 AND 100),
    token_hash   bytea       NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    hint_prefix  text        NOT NULL CHECK (char_length(hint_prefix) = 8),
    hint_suffix  text        NOT NULL CHECK (char_length(hint_suffix) = 4),
    auto_approve boolean     NOT NULL DEFAULT false,
    skip_verify  boolean     NOT NULL DEFAULT false,
    max_uses     integer     CHECK (max_uses >= 1),
    usage_count  integer     NOT NULL DEFAULT 0 CHECK (usage_count >= 0),
    last_used_at timestamptz,
    expires_at   timestamptz,
    tags         jsonb       NOT NULL DEFAULT '[]',
    created_by   uuid        REFERENCES users (id) ON DELETE SET NULL,
    created_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    revoked_by   uuid        REFERENCES users (id) ON DELETE SET NULL,
    CHECK (max_uses IS NULL OR usage_count <= max_uses)
);
CREATE INDEX agent_enrolment_tokens_org_idx ON agent_enrolment_tokens (org_id, created_at DESC, id);
