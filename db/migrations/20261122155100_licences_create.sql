-- Slice: licences (keys of organisations, revocation list, clock guard, notices).
-- Locks: none, new tables only. Safe while the previous release runs: yes.

CREATE TABLE organisation_licences (
    id                   uuid        PRIMARY KEY,
    org_id               uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    key_sealed           bytea       NOT NULL,
    verifier_pem         text        NOT NULL,
    verifier_fingerprint text        NOT NULL CHECK (verifier_fingerprint ~ '^[0-9a-f]{64}$'),
    seal                 bytea       NOT NULL,
    jti                  text        NOT NULL,
    tier                 text        NOT NULL CHECK (tier IN ('pro', 'enterprise')),
    features             text[]      NOT NULL,
    max_hosts            bigint      CHECK (max_hosts > 0),
    customer_name        text        NOT NULL,
    customer_email       text        NOT NULL,
    issued_at            timestamptz NOT NULL,
    expires_at           timestamptz NOT NULL,
    activated_by         uuid        REFERENCES users (id) ON DELETE SET NULL,
    activated_at         timestamptz NOT NULL,
    replaced_at          timestamptz,
    replaced_by          uuid        REFERENCES users (id) ON DELETE SET NULL
);
CREATE UNIQUE INDEX organisation_licences_current_key ON organisation_licences (org_id) WHERE replaced_at IS NULL;
CREATE INDEX organisation_licences_history_idx ON organisation_licences (org_id, activated_at DESC, id DESC);
COMMENT ON COLUMN organisation_licences.seal IS 'Made with the install key over what the row says; a row edited in the database counts as no licence';

CREATE TABLE activation_tokens (
    nonce      text        PRIMARY KEY,
    org_id     uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    created_by uuid        REFERENCES users (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX activation_tokens_org_idx ON activation_tokens (org_id, created_at DESC);

CREATE TABLE licence_revocation_bundle (
    singleton    boolean     PRIMARY KEY DEFAULT true CHECK (singleton),
    raw_jwt      text,
    issued_at    timestamptz,
    expires_at   timestamptz,
    fetched_at   timestamptz,
    attempted_at timestamptz NOT NULL,
    last_error   text
);
COMMENT ON COLUMN licence_revocation_bundle.raw_jwt IS 'The last good bundle; null until one was fetched';

CREATE TABLE licence_clock (
    singleton  boolean     PRIMARY KEY DEFAULT true CHECK (singleton),
    high_water timestamptz NOT NULL
);

CREATE TABLE licence_notices (
    licence_id uuid        NOT NULL REFERENCES organisation_licences (id) ON DELETE CASCADE,
    kind       text        NOT NULL CHECK (kind IN ('30', '14', '7', '1', 'expired', 'revoked')),
    at         timestamptz NOT NULL,
    PRIMARY KEY (licence_id, kind)
);
COMMENT ON TABLE licence_notices IS 'What people were told and the audit trail was given, once each';
