-- Slice: agents (registration, approval, certificates, leases).
-- Locks: none, new tables only. Safe while the previous release runs: yes (first release).

CREATE TABLE agents (
    id                    text        PRIMARY KEY CHECK (id ~ '^[a-z0-9]{24}$'),
    org_id                uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    host_id               uuid        UNIQUE REFERENCES hosts (id) ON DELETE CASCADE,
    hostname              text        NOT NULL,
    public_key            text        NOT NULL,
    public_key_sha256     bytea       NOT NULL CHECK (octet_length(public_key_sha256) = 32),
    status                text        NOT NULL CHECK (status IN ('pending', 'active', 'offline', 'revoked')),
    version               text,
    os                    text,
    os_version            text,
    arch                  text,
    machine_id            text,
    ip_addresses          text[]      NOT NULL DEFAULT '{}',
    identity_ips          text[]      NOT NULL DEFAULT '{}',
    enrolment_token_id    uuid        REFERENCES agent_enrolment_tokens (id) ON DELETE SET NULL,
    pending_reason        text,
    claims_host_id        uuid        REFERENCES hosts (id) ON DELETE CASCADE,
    claim_matched_on      text        CHECK (claim_matched_on IN ('machine_id', 'hostname', 'address')),
    tags                  jsonb       NOT NULL DEFAULT '[]',
    approved_by           uuid        REFERENCES users (id) ON DELETE SET NULL,
    approved_at           timestamptz,
    registered_at         timestamptz NOT NULL,
    pending_csr           bytea,
    client_cert_pem       text,
    client_cert_serial    text        UNIQUE,
    client_cert_not_after timestamptz,
    deleted_at            timestamptz,
    CHECK ((claims_host_id IS NULL) = (claim_matched_on IS NULL))
);
CREATE UNIQUE INDEX agents_public_key_key ON agents (public_key_sha256) WHERE deleted_at IS NULL;
CREATE INDEX agents_pending_idx ON agents (org_id, registered_at) WHERE status = 'pending' AND deleted_at IS NULL;
CREATE INDEX agents_org_idx ON agents (org_id, registered_at DESC, id) WHERE deleted_at IS NULL;
COMMENT ON COLUMN agents.claims_host_id IS 'The existing host that a pending re-enrolment would take over (reenrolment_policy adopt_after_approval); host_id is null meanwhile';

CREATE TABLE agent_status_history (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id text        NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    status   text        NOT NULL CHECK (status IN ('pending', 'active', 'offline', 'revoked', 'adopted')),
    actor_id uuid,
    reason   text        NOT NULL DEFAULT '',
    at       timestamptz NOT NULL
);
CREATE INDEX agent_status_history_agent_idx ON agent_status_history (agent_id, at DESC, id DESC);

-- Every client certificate handed out: when an agent is revoked or its key replaced, all of them are revoked, not only
-- the newest.
CREATE TABLE agent_certificates (
    serial    text        PRIMARY KEY CHECK (serial ~ '^[0-9a-f]+$'),
    agent_id  text        NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    issued_at timestamptz NOT NULL,
    not_after timestamptz NOT NULL
);
CREATE INDEX agent_certificates_agent_idx ON agent_certificates (agent_id, not_after);

-- A node that holds agent streams renews its own lease; the leases of its agents live and die with it, so ten
-- thousand idle agents cost one small update every few seconds.
CREATE TABLE ingest_nodes (
    id          uuid        PRIMARY KEY,
    name        text        NOT NULL,
    started_at  timestamptz NOT NULL,
    lease_until timestamptz NOT NULL
);

CREATE TABLE agent_leases (
    agent_id         text        PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    host_id          uuid        NOT NULL UNIQUE REFERENCES hosts (id) ON DELETE CASCADE,
    session_id       uuid        NOT NULL,
    node_id          uuid        NOT NULL,
    began_at         timestamptz NOT NULL,
    interval_seconds integer     NOT NULL CHECK (interval_seconds BETWEEN 5 AND 300)
);
CREATE INDEX agent_leases_node_idx ON agent_leases (node_id);
