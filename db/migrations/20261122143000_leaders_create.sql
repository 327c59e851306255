-- Slice: foundation (who does what only one process may do).
-- Locks: none, new table only. Safe while the previous release runs: yes.

CREATE TABLE leader_leases (
    name        text        PRIMARY KEY,
    holder      uuid        NOT NULL,
    holder_name text        NOT NULL,
    held_since  timestamptz NOT NULL,
    lease_until timestamptz NOT NULL
);
COMMENT ON TABLE leader_leases IS 'One row per task of which the installation has one; the time is that of the database';
