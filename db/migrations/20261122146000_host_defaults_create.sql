-- Slice: host_defaults (what the hosts of an organisation collect, and how often they report).
-- Locks: none, new table only. Safe while the previous release runs: yes.

CREATE TABLE host_defaults (
    org_id                     uuid        PRIMARY KEY REFERENCES organisations (id) ON DELETE CASCADE,
    revision                   bigint      NOT NULL CHECK (revision > 1),
    heartbeat_interval_seconds integer     CHECK (heartbeat_interval_seconds BETWEEN 5 AND 300),
    collect_cpu                boolean     NOT NULL,
    collect_memory             boolean     NOT NULL,
    collect_disk               boolean     NOT NULL,
    collect_network            boolean     NOT NULL,
    collect_containers         boolean     NOT NULL,
    updated_at                 timestamptz NOT NULL
);
COMMENT ON TABLE host_defaults IS 'No row means that everything is collected; agents do so by themselves and are told nothing';
COMMENT ON COLUMN host_defaults.revision IS 'Grows with every change; milliseconds of the change or more, so that another installation never gives the same';
COMMENT ON COLUMN host_defaults.heartbeat_interval_seconds IS 'Null leaves it to the configuration of each agent';
