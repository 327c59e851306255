-- Slice: agents (agent certificate authority, revocation).
-- Locks: none, new tables only. Safe while the previous release runs: yes (first release).

CREATE TABLE certificate_authorities (
    id                 uuid        PRIMARY KEY,
    purpose            text        NOT NULL CHECK (purpose IN ('agent_ca', 'server_ca')),
    cert_pem           text        NOT NULL,
    key_sealed         bytea       NOT NULL,
    fingerprint_sha256 text        NOT NULL UNIQUE CHECK (fingerprint_sha256 ~ '^[0-9a-f]{64}$'),
    not_before         timestamptz NOT NULL,
    not_after          timestamptz NOT NULL,
    created_at         timestamptz NOT NULL,
    retired_at         timestamptz
);
CREATE UNIQUE INDEX certificate_authorities_active_key
    ON certificate_authorities (purpose) WHERE retired_at IS NULL;

CREATE TABLE revoked_certificates (
    serial     text        PRIMARY KEY CHECK (serial ~ '^[0-9a-f]+$'),
    reason     text        NOT NULL,
    revoked_at timestamptz NOT NULL,
    not_after  timestamptz
);
