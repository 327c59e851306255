-- Slice: feature_flags (which switches of the program an organisation turned).
-- Locks: none, new table only. Safe while the previous release runs: yes.

CREATE TABLE feature_flags (
    org_id     uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    key        text        NOT NULL CHECK (char_length(key) BETWEEN 1 AND 60),
    value      boolean     NOT NULL,
    updated_by uuid        REFERENCES users (id) ON DELETE SET NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, key)
);
COMMENT ON TABLE feature_flags IS 'Flags are declared in code; rows of flags that a release does not know have no effect';
