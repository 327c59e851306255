-- Slice: passkeys (WebAuthn credentials, ceremonies under way).
-- Locks: none, new tables only. Safe while the previous release runs: yes.

CREATE TABLE passkeys (
    id            uuid        PRIMARY KEY,
    user_id       uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    credential_id bytea       NOT NULL UNIQUE CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
    name          text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    credential    jsonb       NOT NULL,
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz
);
CREATE INDEX passkeys_user_idx ON passkeys (user_id);

CREATE TABLE passkey_ceremonies (
    token_hash   bytea       PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    purpose      text        NOT NULL CHECK (purpose IN ('register', 'sign_in', 'second_step', 'confirm')),
    user_id      uuid        REFERENCES users (id) ON DELETE CASCADE,
    state_sealed bytea       NOT NULL,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX passkey_ceremonies_expires_idx ON passkey_ceremonies (expires_at);
COMMENT ON TABLE passkey_ceremonies IS 'A challenge that was given out; deleted by the first answer, right or wrong';
