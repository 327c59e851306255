-- Slice: sessions, sign_in (what a session was started with, sign-ins that wait for a second step, known devices).
-- Locks: sessions, for a moment; new columns have constant defaults.
-- Safe while the previous release runs: yes, sessions it starts count as never confirmed.

ALTER TABLE sessions
    ADD COLUMN second_factor boolean     NOT NULL DEFAULT false,
    ADD COLUMN confirmed_at  timestamptz NOT NULL DEFAULT 'epoch',
    DROP CONSTRAINT sessions_method_check,
    ADD CONSTRAINT sessions_method_check CHECK (method IN ('password', 'ldap', 'oidc', 'saml', 'passkey'));
COMMENT ON COLUMN sessions.confirmed_at IS 'When the person last proved who they are: at sign-in or when asked again';

CREATE TABLE pending_sign_ins (
    id            uuid        PRIMARY KEY,
    token_hash    bytea       NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    user_id       uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    org_id        uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    method        text        NOT NULL CHECK (method IN ('password', 'ldap', 'oidc', 'saml')),
    replaces      uuid,
    failures      integer     NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX pending_sign_ins_expires_idx ON pending_sign_ins (expires_at);
CREATE INDEX pending_sign_ins_user_idx ON pending_sign_ins (user_id);
COMMENT ON TABLE pending_sign_ins IS 'The first factor was right; a second one is waited for, 10 minutes and 5 wrong codes at most';

CREATE TABLE sign_in_origins (
    user_id       uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind          text        NOT NULL CHECK (kind IN ('device', 'network')),
    value_hash    bytea       NOT NULL CHECK (octet_length(value_hash) = 32),
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    PRIMARY KEY (user_id, kind, value_hash)
);
CREATE INDEX sign_in_origins_last_seen_idx ON sign_in_origins (last_seen_at);
COMMENT ON TABLE sign_in_origins IS 'Devices and networks somebody signed in from, so that a new one can be told by mail';
