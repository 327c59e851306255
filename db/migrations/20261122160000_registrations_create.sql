-- Slice: registration.
-- Locks: none, a new table only. Safe while the previous release runs: yes.

-- Whoever asked for an account and has not proved the address yet. Nothing of it is an account: an address belongs to
-- whoever reads its mail, so several may wait for the same one.
CREATE TABLE registrations (
    id            uuid        PRIMARY KEY,
    org_id        uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    email         text        NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254),
    name          text        NOT NULL CHECK (char_length(name) BETWEEN 2 AND 100),
    password_hash text        NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX registrations_email_idx ON registrations (email, created_at DESC);
CREATE INDEX registrations_expires_idx ON registrations (expires_at);
COMMENT ON COLUMN registrations.email IS 'Folded. The row is also there when an account has the address, so that answers are the same';
