-- Slice: external (accounts of directories and identity providers, linked to ours).
-- Locks: none, new tables only. Safe while the previous release runs: yes.

CREATE TABLE external_identities (
    id           uuid        PRIMARY KEY,
    org_id       uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    user_id      uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider     text        NOT NULL CHECK (provider IN ('ldap', 'oidc', 'saml')),
    provider_id  uuid        NOT NULL,
    subject      text        NOT NULL CHECK (octet_length(subject) BETWEEN 1 AND 2000),
    name         text        NOT NULL,
    linked_at    timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX external_identities_subject_key ON external_identities (provider, provider_id, subject);
CREATE INDEX external_identities_user_idx ON external_identities (user_id);
COMMENT ON TABLE external_identities IS 'An identity is known by provider and subject only, never by its address, which its owner may change';

CREATE TABLE link_confirmations (
    id          uuid        PRIMARY KEY,
    token_hash  bytea       NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    org_id      uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    user_id     uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider    text        NOT NULL CHECK (provider IN ('ldap', 'oidc', 'saml')),
    provider_id uuid        NOT NULL,
    subject     text        NOT NULL CHECK (octet_length(subject) BETWEEN 1 AND 2000),
    name        text        NOT NULL,
    roles       text[]      NOT NULL
                CHECK (roles <@ ARRAY['org_admin', 'engineer', 'read_only']::text[]),
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz
);
CREATE INDEX link_confirmations_expires_idx ON link_confirmations (expires_at);
COMMENT ON TABLE link_confirmations IS 'A sign-in through a provider met an account with its address: that account''s own sign-in must confirm with the token before they are linked';
