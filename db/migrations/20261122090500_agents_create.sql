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
    arch                  text,
    enrolment_token_id    uuid        REFERENCES agent_enrolment_tokens (id) ON DELETE SET NULL,
    pending_reason        text,
    claims_host_id        uuid        REFERENCES hosts (id) ON DELETE CASCADE,
    tags                  jsonb       NOT NULL DEFAULT '[]',
    approved_by           uuid        REFERENCES users (id) ON DELETE SET NULL,
    approved_at           timestamptz,
    registered_at         timestamptz NOT NULL,
    pending_csr           bytea,
    client_cert_pem       text,
    client_cert_serial    text        UNIQUE,
    client_cert_not_after timestamptz,
    deleted_at            timestamptz
);
CREATE UNIQUE INDEX agents_public_key_key ON agents (public_key_sha256) WHERE deleted_at IS NULL;
CREATE INDEX agents_pending_idx ON agents (org_id, registered_at) WHERE status = 'pending' AND deleted_at IS NULL;
CREATE INDEX agents_pending_csr_idx ON agents (registered_at) WHERE pending_csr IS NOT NULL AND status = 'active';
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
