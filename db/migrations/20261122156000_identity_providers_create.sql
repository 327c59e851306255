-- Slice: identity_providers (sign-in through OpenID Connect and SAML 2.0).
-- Locks: none, new tables only. Safe while the previous release runs: yes.

CREATE TABLE identity_providers (
    id              uuid        PRIMARY KEY,
    org_id          uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    kind            text        NOT NULL CHECK (kind IN ('oidc', 'saml')),
    name            text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    enabled         boolean     NOT NULL DEFAULT false,
    settings        jsonb       NOT NULL,
    allowed_domains text[]      NOT NULL DEFAULT '{}',
    trust_email     boolean     NOT NULL DEFAULT false,
    role_map        jsonb       NOT NULL DEFAULT '[]',
    default_role    text        CHECK (default_role IN ('org_admin', 'engineer', 'read_only')),
    secret          bytea,
    secret_set_at   timestamptz,
    secret_set_by   uuid        REFERENCES users (id) ON DELETE SET NULL,
    version         integer     NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    deleted_at      timestamptz
);
CREATE INDEX identity_providers_org_idx ON identity_providers (org_id) WHERE deleted_at IS NULL;
COMMENT ON COLUMN identity_providers.settings IS 'What the protocol needs, without secrets, validated';
COMMENT ON COLUMN identity_providers.secret IS 'Sealed with the install key: the client secret (OpenID Connect) or the private key of this service (SAML)';
COMMENT ON COLUMN identity_providers.default_role IS 'Role of people in none of the mapped groups; nobody''s before an administrator approves them when empty';

CREATE TABLE sso_attempts (
    id              uuid        PRIMARY KEY,
    provider_id     uuid        NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
    state_hash      bytea       NOT NULL UNIQUE CHECK (octet_length(state_hash) = 32),
    browser_hash    bytea       NOT NULL CHECK (octet_length(browser_hash) = 32),
    confirm_user_id uuid        REFERENCES users (id) ON DELETE CASCADE,
    return_to       text        NOT NULL CHECK (char_length(return_to) BETWEEN 1 AND 256),
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz
);
CREATE INDEX sso_attempts_expires_idx ON sso_attempts (expires_at);
COMMENT ON TABLE sso_attempts IS 'A browser on its way to an identity provider and back: used once, and by the browser that began it only';
COMMENT ON COLUMN sso_attempts.state_hash IS 'SHA-256 of the state (OpenID Connect) or request id (SAML)';
COMMENT ON COLUMN sso_attempts.browser_hash IS 'SHA-256 of the cookie of the browser';

CREATE TABLE saml_assertions (
    provider_id  uuid        NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
    id_hash      bytea       NOT NULL CHECK (octet_length(id_hash) = 32),
    ticket_hash  bytea       UNIQUE CHECK (octet_length(ticket_hash) = 32),
    attempt_id   uuid        REFERENCES sso_attempts (id) ON DELETE CASCADE,
    person       bytea,
    received_at  timestamptz NOT NULL,
    forget_after timestamptz NOT NULL,
    taken_at     timestamptz,
    PRIMARY KEY (provider_id, id_hash)
);
CREATE INDEX saml_assertions_forget_idx ON saml_assertions (forget_after);
COMMENT ON TABLE saml_assertions IS 'Assertions that were accepted; none is accepted twice';
COMMENT ON COLUMN saml_assertions.person IS 'Sealed with the install key: who was asserted, until the browser comes with the ticket';
