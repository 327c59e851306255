-- Slice: host keys (SSH host keys, trusted on first use).
-- Locks: none, new tables only. Safe while the previous release runs: yes.

CREATE TABLE host_ssh_keys (
    host_id       uuid        PRIMARY KEY REFERENCES hosts (id) ON DELETE CASCADE,
    org_id        uuid        NOT NULL,
    trusted       jsonb       NOT NULL,
    trusted_at    timestamptz NOT NULL,
    pending       jsonb,
    pending_since timestamptz
);
COMMENT ON COLUMN host_ssh_keys.pending IS 'What the host reports instead of the trusted keys, until somebody accepts it';
