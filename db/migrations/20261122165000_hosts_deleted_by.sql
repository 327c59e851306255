-- Slice: hosts.
-- Locks: hosts, for a moment; no row is rewritten. Safe while the previous release runs: yes.

ALTER TABLE hosts ADD COLUMN deleted_by uuid REFERENCES users (id) ON DELETE SET NULL;
COMMENT ON COLUMN hosts.deleted_by IS 'Who deleted the host; null when it disappeared with an agent nobody approved';
CREATE INDEX hosts_deleted_idx ON hosts (org_id, deleted_at) WHERE deleted_at IS NOT NULL;
