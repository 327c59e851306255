-- Slice: roles (custom roles, their selectors, who holds them).
-- Locks: none, new tables only. Safe while the previous release runs: yes.

CREATE TABLE custom_roles (
    id          uuid        PRIMARY KEY,
    org_id      uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    name        text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    description text        NOT NULL DEFAULT '' CHECK (char_length(description) <= 1000),
    base        text        CHECK (base IN ('read_only', 'engineer', 'org_admin')),
    permissions text[]      NOT NULL,
    version     integer     NOT NULL DEFAULT 1,
    created_by  uuid        REFERENCES users (id) ON DELETE SET NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE UNIQUE INDEX custom_roles_name_key ON custom_roles (org_id, lower(name));
COMMENT ON COLUMN custom_roles.base IS 'The built-in role it was made from; what it gives stands in permissions';

CREATE TABLE custom_role_terms (
    role_id   uuid     NOT NULL REFERENCES custom_roles (id) ON DELETE CASCADE,
    position  smallint NOT NULL,
    kind      text     NOT NULL CHECK (kind = 'host_groups'),
    group_ids uuid[]   NOT NULL CHECK (cardinality(group_ids) BETWEEN 1 AND 50),
    negated   boolean  NOT NULL,
    PRIMARY KEY (role_id, position)
);
COMMENT ON TABLE custom_role_terms IS 'A host is selected when it meets every term; a role without terms reaches the whole organisation';

CREATE TABLE role_assignments (
    id          uuid        PRIMARY KEY,
    org_id      uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    role_id     uuid        NOT NULL REFERENCES custom_roles (id) ON DELETE CASCADE,
    user_id     uuid        REFERENCES users (id) ON DELETE CASCADE,
    team_id     uuid        REFERENCES teams (id) ON DELETE CASCADE,
    assigned_by uuid        REFERENCES users (id) ON DELETE SET NULL,
    assigned_at timestamptz NOT NULL,
    CONSTRAINT role_assignments_one_subject CHECK ((user_id IS NULL) <> (team_id IS NULL))
);
CREATE UNIQUE INDEX role_assignments_user_key ON role_assignments (role_id, user_id) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX role_assignments_team_key ON role_assignments (role_id, team_id) WHERE team_id IS NOT NULL;
CREATE INDEX role_assignments_user_idx ON role_assignments (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX role_assignments_team_idx ON role_assignments (team_id) WHERE team_id IS NOT NULL;

CREATE OR REPLACE VIEW scope_hosts AS
    SELECT m.group_id AS scope_id, m.host_id
    FROM host_group_members m
    JOIN host_groups g ON g.id = m.group_id AND g.deleted_at IS NULL
    UNION ALL
    SELECT r.id AS scope_id, h.id AS host_id
    FROM custom_roles r
    JOIN hosts h ON h.org_id = r.org_id
    WHERE EXISTS (SELECT 1 FROM custom_role_terms t WHERE t.role_id = r.id)
      AND NOT EXISTS (
          SELECT 1
          FROM custom_role_terms t
          WHERE t.role_id = r.id
            AND t.negated = EXISTS (
                SELECT 1
                FROM host_group_members m
                JOIN host_groups g ON g.id = m.group_id AND g.deleted_at IS NULL
                WHERE m.host_id = h.id AND m.group_id = ANY (t.group_ids)
            )
      );
