-- Slice: settings (documents of the settings pages, their history, their secrets).
-- Locks: none, new tables only. Safe while the previous release runs: yes.

CREATE TABLE settings (
    org_id     uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    page       text        NOT NULL CHECK (page ~ '^[a-z][a-z0-9-]{0,39}$'),
    version    bigint      NOT NULL CHECK (version > 0),
    document   jsonb       NOT NULL CHECK (jsonb_typeof(document) = 'object' AND octet_length(document::text) <= 262144),
    updated_by uuid        REFERENCES users (id) ON DELETE SET NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, page)
);
COMMENT ON TABLE settings IS 'Keys that are absent have their default; what a release does not understand is kept, and counts as absent';

CREATE TABLE settings_history (
    org_id     uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    page       text        NOT NULL,
    version    bigint      NOT NULL CHECK (version > 0),
    document   jsonb       NOT NULL,
    secrets    text[]      NOT NULL,
    updated_by uuid        REFERENCES users (id) ON DELETE SET NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, page, version)
);
COMMENT ON COLUMN settings_history.secrets IS 'Names of the secrets that this save set or cleared';

CREATE TABLE setting_secrets (
    org_id uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    page   text        NOT NULL,
    name   text        NOT NULL,
    sealed bytea       NOT NULL,
    set_by uuid        REFERENCES users (id) ON DELETE SET NULL,
    set_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, page, name)
);
COMMENT ON TABLE setting_secrets IS 'Sealed with the install key; the associated data is setting:<org>:<page>:<name>';
