-- Slice: invitations.
-- Locks: none, new tables only. Safe while the previous release runs: yes.

CREATE TABLE invitations (
    id              uuid        PRIMARY KEY,
    org_id          uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    email           text        NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254),
    roles           text[]      NOT NULL
                    CHECK (cardinality(roles) > 0
                           AND roles <@ ARRAY['super_admin', 'org_admin', 'engineer', 'read_only']::text[]),
    team_ids        uuid[]      NOT NULL DEFAULT '{}',
    host_group_ids  uuid[]      NOT NULL DEFAULT '{}',
    token_hash      bytea       NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    invited_by      uuid        REFERENCES users (id) ON DELETE SET NULL,
    created_at      timestamptz NOT NULL,
    sent_at         timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    accepted_at     timestamptz,
    accepted_by     uuid        REFERENCES users (id) ON DELETE SET NULL,
    cancelled_at    timestamptz
);
CREATE UNIQUE INDEX invitations_live_key ON invitations (org_id, lower(email))
    WHERE accepted_at IS NULL AND cancelled_at IS NULL;
CREATE INDEX invitations_org_idx ON invitations (org_id, created_at DESC);
COMMENT ON TABLE invitations IS 'Only the hash of a token is kept; a new link replaces the one before';
