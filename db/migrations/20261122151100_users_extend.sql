-- Slice: users (states of members, what happened to them, accounts that are not people).
-- Locks: users and memberships, for a moment; new columns have constant defaults.
-- Safe while the previous release runs: yes, the defaults are what it means.

ALTER TABLE users
    ADD COLUMN kind text NOT NULL DEFAULT 'person' CHECK (kind IN ('person', 'service'));
COMMENT ON COLUMN users.kind IS 'A service account stands behind an API key of an organisation: it never signs in and is in no list of people';

ALTER TABLE memberships
    ADD COLUMN state            text        NOT NULL DEFAULT 'active'
                                CHECK (state IN ('pending', 'active', 'deactivated', 'removed')),
    ADD COLUMN roles_from       text        NOT NULL DEFAULT 'people' CHECK (roles_from IN ('people', 'provider')),
    ADD COLUMN invited_by       uuid        REFERENCES users (id) ON DELETE SET NULL,
    ADD COLUMN state_changed_at timestamptz;
CREATE INDEX memberships_org_state_idx ON memberships (org_id, state);
COMMENT ON COLUMN memberships.state IS 'Only active members have rights; pending ones see the waiting page; the rows of removed ones stay, because history stays attributed. Somebody who is invited has an invitation, no membership';
COMMENT ON COLUMN memberships.roles_from IS 'provider: the group map of a directory or identity provider decides at every sign-in; people: an administrator or invitation did';

CREATE TABLE membership_changes (
    id       uuid        PRIMARY KEY,
    org_id   uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    user_id  uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    actor_id uuid        REFERENCES users (id) ON DELETE SET NULL,
    change   text        NOT NULL,
    before   jsonb       NOT NULL,
    after    jsonb       NOT NULL,
    reason   text        NOT NULL CHECK (char_length(reason) <= 500),
    at       timestamptz NOT NULL
);
CREATE INDEX membership_changes_user_idx ON membership_changes (org_id, user_id, at DESC, id DESC);
