-- Slice: egress (which addresses outgoing connections of an organisation may reach).
-- Locks: none, new tables only. Safe while the previous release runs: yes.

CREATE TABLE egress_settings (
    org_id     uuid        PRIMARY KEY REFERENCES organisations (id) ON DELETE CASCADE,
    mode       text        NOT NULL CHECK (mode IN ('internal', 'public-only', 'closed')),
    updated_at timestamptz NOT NULL
);
COMMENT ON TABLE egress_settings IS 'No row means internal';

CREATE TABLE egress_targets (
    org_id     uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    target     text        NOT NULL CHECK (char_length(target) BETWEEN 1 AND 254),
    note       text        NOT NULL CHECK (char_length(note) <= 200),
    created_by uuid        REFERENCES users (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, target)
);
COMMENT ON COLUMN egress_targets.target IS 'A range, an address, a host name or a suffix such as .corp.example, in canonical form';
