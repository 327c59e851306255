-- Slice: teams (members, owned host groups, scoping).
-- Locks: none, new tables only. Safe while the previous release runs: yes.

CREATE TABLE teams (
    id                 uuid        PRIMARY KEY,
    org_id             uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    name               text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    description        text        NOT NULL DEFAULT '' CHECK (char_length(description) <= 1000),
    scoping            boolean     NOT NULL DEFAULT false,
    lead_id            uuid        REFERENCES users (id) ON DELETE SET NULL,
    default_channel_id uuid,
    created_by         uuid        REFERENCES users (id) ON DELETE SET NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL
);
CREATE UNIQUE INDEX teams_name_key ON teams (org_id, lower(name));
COMMENT ON COLUMN teams.scoping IS 'The host groups of the team are then access scope of its engineer and read_only members';

CREATE TABLE team_members (
    team_id  uuid        NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    user_id  uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    added_by uuid        REFERENCES users (id) ON DELETE SET NULL,
    added_at timestamptz NOT NULL,
    PRIMARY KEY (team_id, user_id)
);
CREATE INDEX team_members_user_idx ON team_members (user_id);

CREATE TABLE team_host_groups (
    team_id  uuid        NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    group_id uuid        NOT NULL,
    added_by uuid        REFERENCES users (id) ON DELETE SET NULL,
    added_at timestamptz NOT NULL,
    PRIMARY KEY (team_id, group_id)
);
CREATE INDEX team_host_groups_group_idx ON team_host_groups (group_id);
