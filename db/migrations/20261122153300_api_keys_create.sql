-- Slice: api_keys (personal and service keys).
-- Locks: none, new table only. Safe while the previous release runs: yes.

CREATE TABLE api_keys (
    id               uuid        PRIMARY KEY,
    org_id           uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    user_id          uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind             text        NOT NULL CHECK (kind IN ('personal', 'service')),
    name             text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    secret_hash      bytea       NOT NULL UNIQUE CHECK (octet_length(secret_hash) = 32),
    hint             text        NOT NULL CHECK (char_length(hint) = 4),
    scopes           text[]      NOT NULL CHECK (cardinality(scopes) BETWEEN 1 AND 200),
    host_groups      uuid[]      CHECK (cardinality(host_groups) BETWEEN 1 AND 50),
    allowed_networks text[]      CHECK (cardinality(allowed_networks) BETWEEN 1 AND 50),
    created_by       uuid        REFERENCES users (id) ON DELETE SET NULL,
    created_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    last_used_at     timestamptz,
    last_used_ip     text,
    revoked_at       timestamptz,
    revoked_by       uuid        REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX api_keys_org_idx ON api_keys (org_id, kind, created_at DESC);
CREATE INDEX api_keys_user_idx ON api_keys (user_id);
COMMENT ON COLUMN api_keys.user_id IS 'Whose rights it has: its owner, or the service account that was made for it';
COMMENT ON COLUMN api_keys.host_groups IS 'The only host groups it reaches; empty means all that its user reaches';
COMMENT ON COLUMN api_keys.allowed_networks IS 'CIDR networks it may be used from; empty means everywhere';
