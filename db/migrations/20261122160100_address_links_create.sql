-- Slice: verification.
-- Locks: none, a new table only. Safe while the previous release runs: yes.

CREATE TABLE address_links (
    id              uuid        PRIMARY KEY,
    org_id          uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    -- Whose address it is about: an account, or somebody who is about to become one.
    user_id         uuid        REFERENCES users (id) ON DELETE CASCADE,
    registration_id uuid        REFERENCES registrations (id) ON DELETE CASCADE,
    -- The address that whoever opens the link has proved to read: that of the account, or the one it changes to.
    email           text        NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254),
    token_hash      bytea       NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz,
    CHECK (num_nonnulls(user_id, registration_id) = 1)
);
CREATE INDEX address_links_user_idx ON address_links (user_id);
CREATE INDEX address_links_registration_idx ON address_links (registration_id);
CREATE INDEX address_links_expires_idx ON address_links (expires_at);
