-- Slice: preferences (what each person chose for themselves).
-- Locks: none, new table only. Safe while the previous release runs: yes.

CREATE TABLE user_preferences (
    user_id    uuid        PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    document   jsonb       NOT NULL CHECK (jsonb_typeof(document) = 'object' AND octet_length(document::text) <= 65536),
    updated_at timestamptz NOT NULL
);
