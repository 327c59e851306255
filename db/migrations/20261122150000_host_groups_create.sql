-- Slice: host_groups (sets of hosts, and who is limited to them).
-- Locks: none, new tables only. Safe while the previous release runs: yes.

CREATE TABLE host_groups (
    id          uuid        PRIMARY KEY,
    org_id      uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    name        text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 255),
    description text        NOT NULL DEFAULT '' CHECK (char_length(description) <= 1000),
    kind        text        NOT NULL DEFAULT 'static' CHECK (kind IN ('static', 'dynamic')),
    filter      jsonb,
    created_by  uuid        REFERENCES users (id) ON DELETE SET NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    deleted_at  timestamptz,
    CONSTRAINT host_groups_filter_is_dynamic CHECK ((filter IS NULL) = (kind = 'static'))
);
CREATE UNIQUE INDEX host_groups_name_key ON host_groups (org_id, lower(name)) WHERE deleted_at IS NULL;
COMMENT ON COLUMN host_groups.deleted_at IS 'Soft: the members stay for 30 days and come back with the group; nothing else does';

CREATE TABLE host_group_members (
    group_id uuid        NOT NULL REFERENCES host_groups (id) ON DELETE CASCADE,
    host_id  uuid        NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    source   text        NOT NULL DEFAULT 'manual' CHECK (source IN ('manual', 'dynamic')),
    added_by uuid        REFERENCES users (id) ON DELETE SET NULL,
    added_at timestamptz NOT NULL,
    PRIMARY KEY (group_id, host_id)
);
CREATE INDEX host_group_members_host_idx ON host_group_members (host_id, group_id);

CREATE TABLE user_host_scopes (
    user_id  uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    group_id uuid NOT NULL REFERENCES host_groups (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, group_id)
);
CREATE INDEX user_host_scopes_group_idx ON user_host_scopes (group_id);
COMMENT ON TABLE user_host_scopes IS 'Somebody without a row here and without a scoping team sees the whole organisation';

CREATE VIEW scope_hosts AS
    SELECT m.group_id AS scope_id, m.host_id
    FROM host_group_members m
    JOIN host_groups g ON g.id = m.group_id AND g.deleted_at IS NULL;
COMMENT ON VIEW scope_hosts IS 'Which host is in which set of hosts that can limit what somebody sees; the only place that knows';
