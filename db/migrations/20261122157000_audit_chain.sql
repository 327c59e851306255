-- Slice: audit (who did what: events, their hash chain, refused attempts).
-- Locks: audit_events exclusively while its rows are copied into the partitioned table; about 10 s for a million rows.
-- Safe while the previous release runs: yes, what it inserts names its columns and the others have defaults.

ALTER TABLE audit_events RENAME TO audit_events_before;
ALTER TABLE audit_events_before RENAME CONSTRAINT audit_events_pkey TO audit_events_before_pkey;
DROP INDEX audit_events_org_at_idx;

-- Events outlive organisations, people and hosts: there are no foreign keys, and names are copied.
CREATE TABLE audit_events (
    id            uuid        NOT NULL,
    at            timestamptz NOT NULL,
    org_id        uuid,
    actor_kind    text        NOT NULL CHECK (actor_kind IN ('user', 'api_key', 'system', 'agent', 'setup',
                                                             'support_cli', 'anonymous')),
    actor_id      text,
    actor_name    text,
    action        text        NOT NULL CHECK (char_length(action) BETWEEN 3 AND 100),
    target_type   text        NOT NULL,
    target_id     text,
    target_label  text,
    outcome       text        NOT NULL DEFAULT 'success' CHECK (outcome IN ('success', 'denied', 'failed')),
    reason_code   text,
    cause         text,
    summary       text        NOT NULL,
    before        jsonb,
    after         jsonb,
    repeats       integer     NOT NULL DEFAULT 1 CHECK (repeats > 0),
    ip            text,
    user_agent    text,
    request_id    text,
    session_hash  text,
    auth_method   text,
    second_factor boolean,
    api_key_id    uuid,
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
COMMENT ON TABLE audit_events IS 'Append-only, a partition per month; what is written here is sealed into audit_chain within seconds';
COMMENT ON COLUMN audit_events.repeats IS 'Equal refused attempts of one minute that this event stands for';
COMMENT ON COLUMN audit_events.session_hash IS 'First half of the SHA-256 of the session id: tells sessions apart, opens none';
CREATE TABLE audit_events_default PARTITION OF audit_events DEFAULT;

CREATE INDEX audit_events_org_at_idx ON audit_events (org_id, at DESC, id DESC);
CREATE INDEX audit_events_actor_idx ON audit_events (org_id, actor_id, at DESC, id DESC);
CREATE INDEX audit_events_target_idx ON audit_events (org_id, target_type, target_id, at DESC, id DESC);
CREATE INDEX audit_events_action_idx ON audit_events (org_id, action text_pattern_ops, at DESC, id DESC);
CREATE INDEX audit_events_request_idx ON audit_events (request_id, at DESC) WHERE request_id IS NOT NULL;

-- Events that wait to be sealed. Writers add to it without waiting for anybody; one process empties it.
CREATE TABLE audit_unsealed (
    event_id uuid        NOT NULL,
    event_at timestamptz NOT NULL
);
COMMENT ON TABLE audit_unsealed IS 'Filled by a trigger of audit_events, emptied by the process that seals';

-- One chain per organisation; the nil UUID stands for events of the whole installation.
CREATE TABLE audit_chain (
    chain_id  uuid        NOT NULL,
    seq       bigint      NOT NULL CHECK (seq > 0),
    event_id  uuid        NOT NULL,
    event_at  timestamptz NOT NULL,
    prev_hash bytea       NOT NULL CHECK (octet_length(prev_hash) = 32),
    hash      bytea       NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (chain_id, seq)
);
CREATE UNIQUE INDEX audit_chain_event_key ON audit_chain (event_id);
CREATE INDEX audit_chain_at_idx ON audit_chain (chain_id, event_at);
COMMENT ON COLUMN audit_chain.hash IS 'SHA-256 over prev_hash and the canonical form of the event';

CREATE TABLE audit_checkpoints (
    id          uuid        PRIMARY KEY,
    chain_id    uuid        NOT NULL,
    kind        text        NOT NULL CHECK (kind IN ('daily', 'prune')),
    seq         bigint      NOT NULL,
    hash        bytea       NOT NULL CHECK (octet_length(hash) = 32),
    events      bigint      NOT NULL CHECK (events >= 0),
    at          timestamptz NOT NULL,
    public_key  bytea       NOT NULL CHECK (octet_length(public_key) = 32),
    signature   bytea       NOT NULL CHECK (octet_length(signature) = 64)
);
CREATE INDEX audit_checkpoints_chain_idx ON audit_checkpoints (chain_id, seq);
COMMENT ON COLUMN audit_checkpoints.events IS 'Daily: events of the chain so far; prune: events that were removed';

CREATE TABLE audit_denied (
    org_id      uuid        NOT NULL,
    actor_kind  text        NOT NULL,
    actor_id    uuid        NOT NULL,
    actor_name  text        NOT NULL,
    operation   text        NOT NULL,
    target      text        NOT NULL,
    reason_code text        NOT NULL,
    minute      timestamptz NOT NULL,
    context     jsonb       NOT NULL,
    first_at    timestamptz NOT NULL,
    repeats     integer     NOT NULL,
    PRIMARY KEY (org_id, actor_id, operation, target, minute)
);
CREATE INDEX audit_denied_minute_idx ON audit_denied (minute);
COMMENT ON TABLE audit_denied IS 'Refused attempts of the running minute; afterwards each row becomes one event';

CREATE TABLE audit_settings (
    org_id         uuid        PRIMARY KEY,
    retention_days integer     NOT NULL CHECK (retention_days BETWEEN 30 AND 3650),
    updated_at     timestamptz NOT NULL
);
COMMENT ON TABLE audit_settings IS 'No row means 365 days';

CREATE TABLE audit_holds (
    id          uuid        PRIMARY KEY,
    org_id      uuid        NOT NULL,
    reason      text        NOT NULL CHECK (char_length(reason) BETWEEN 3 AND 500),
    set_by      uuid        NOT NULL,
    set_by_name text        NOT NULL,
    set_at      timestamptz NOT NULL,
    lifted_at   timestamptz
);
CREATE UNIQUE INDEX audit_holds_active_key ON audit_holds (org_id) WHERE lifted_at IS NULL;

CREATE TABLE audit_exports (
    id          uuid        PRIMARY KEY,
    org_id      uuid        NOT NULL,
    format      text        NOT NULL CHECK (format IN ('csv', 'jsonl', 'cef')),
    filter      jsonb       NOT NULL,
    last_seq    bigint      NOT NULL,
    events      bigint      NOT NULL,
    first_hash  bytea,
    last_hash   bytea,
    exporter_id uuid        NOT NULL,
    exporter    text        NOT NULL,
    created_at  timestamptz NOT NULL,
    sha256      bytea,
    signature   bytea,
    public_key  bytea,
    finished_at timestamptz
);
CREATE INDEX audit_exports_org_idx ON audit_exports (org_id, created_at);
COMMENT ON COLUMN audit_exports.last_seq IS 'The export ends with this link of the chain, so that every download has the same bytes';

CREATE TABLE audit_forwarders (
    id               uuid        PRIMARY KEY,
    org_id           uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    name             text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    kind             text        NOT NULL CHECK (kind IN ('syslog_tcp', 'syslog_tls', 'webhook')),
    endpoint         text        NOT NULL CHECK (char_length(endpoint) BETWEEN 1 AND 2000),
    secret_encrypted bytea,
    enabled          boolean     NOT NULL DEFAULT true,
    cursor_seq       bigint      NOT NULL DEFAULT 0,
    failures         integer     NOT NULL DEFAULT 0,
    last_error       text,
    last_sent_at     timestamptz,
    next_attempt_at  timestamptz NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL
);
CREATE INDEX audit_forwarders_org_idx ON audit_forwarders (org_id);
CREATE INDEX audit_forwarders_due_idx ON audit_forwarders (next_attempt_at) WHERE enabled;

-- What people called an actor or a target when the event was written. Names are copied because events outlive both.
CREATE FUNCTION audit_actor_name(kind text, actor text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF actor IS NULL OR (kind <> 'agent' AND actor !~ '^[0-9a-f-]{36}$') THEN
        RETURN NULL;
    ELSIF kind IN ('user', 'api_key') THEN
        RETURN (SELECT u.name FROM users AS u WHERE u.id = actor::uuid);
    ELSIF kind = 'agent' THEN
        RETURN (SELECT a.hostname FROM agents AS a WHERE a.id = actor);
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION audit_target_label(kind text, target text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF target IS NULL OR (kind <> 'agent' AND target !~ '^[0-9a-f-]{36}$') THEN
        RETURN NULL;
    ELSIF kind = 'host' THEN
        RETURN (SELECT COALESCE(NULLIF(h.display_name, ''), h.hostname) FROM hosts AS h WHERE h.id = target::uuid);
    ELSIF kind = 'agent' THEN
        RETURN (SELECT a.hostname FROM agents AS a WHERE a.id = target);
    ELSIF kind = 'user' THEN
        RETURN (SELECT u.name FROM users AS u WHERE u.id = target::uuid);
    ELSIF kind = 'organisation' THEN
        RETURN (SELECT o.name FROM organisations AS o WHERE o.id = target::uuid);
    ELSIF kind = 'enrolment_token' THEN
        RETURN (SELECT t.label FROM agent_enrolment_tokens AS t WHERE t.id = target::uuid);
    ELSIF kind = 'check' THEN
        RETURN (SELECT c.name FROM checks AS c WHERE c.id = target::uuid);
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION audit_queue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_unsealed (event_id, event_at) VALUES (NEW.id, NEW.at);
    RETURN NULL;
END
$$;

-- What was written stays as it is (audit-log 8). Only audit_prune() and the making of partitions remove rows.
CREATE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('ctops.audit_maintenance', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;

-- Makes the missing partitions for some months beginning with the month of "since"; returns how many it made. Events of
-- these months that waited in the default partition move to their place.
CREATE FUNCTION audit_make_partitions(since date, months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    first date;
    part text;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('partitions:audit_events', 0));
    PERFORM set_config('ctops.audit_maintenance', 'on', true);
    FOR n IN 0 .. months - 1 LOOP
        first := (date_trunc('month', since::timestamp) + make_interval(months => n))::date;
        part := 'audit_events_p' || to_char(first, 'YYYYMM');
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE audit_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
        EXECUTE format(
            'WITH moved AS (DELETE FROM audit_events_default WHERE at >= %1$L AND at < %2$L RETURNING *)
             INSERT INTO %3$I SELECT * FROM moved',
            first::text || ' 00:00:00+00', (first + interval '1 month')::date::text || ' 00:00:00+00', part);
        EXECUTE format(
            'ALTER TABLE audit_events ATTACH PARTITION %3$I FOR VALUES FROM (%1$L) TO (%2$L)',
            first::text || ' 00:00:00+00', (first + interval '1 month')::date::text || ' 00:00:00+00', part);
        made := made + 1;
    END LOOP;
    PERFORM set_config('ctops.audit_maintenance', 'off', true);
    RETURN made;
END
$$;

-- Removes the links of a chain up to one of them, and their events; returns how many. Refuses what is younger than 30
-- days and what is on hold, whoever calls it.
CREATE FUNCTION audit_prune(chain uuid, up_to bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    removed bigint;
BEGIN
    IF EXISTS (SELECT 1 FROM audit_holds AS h WHERE h.org_id = chain AND h.lifted_at IS NULL) THEN
        RAISE EXCEPTION 'pruning is on hold' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF EXISTS (SELECT 1 FROM audit_chain AS c
               WHERE c.chain_id = chain AND c.seq <= up_to AND c.event_at > now() - interval '30 days') THEN
        RAISE EXCEPTION 'the last 30 days are not pruned' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM set_config('ctops.audit_maintenance', 'on', true);
    WITH links AS (
        DELETE FROM audit_chain AS c WHERE c.chain_id = chain AND c.seq <= up_to RETURNING c.event_id, c.event_at
    ), events AS (
        DELETE FROM audit_events AS e USING links AS l WHERE e.id = l.event_id AND e.at = l.event_at RETURNING e.id
    )
    SELECT count(*) INTO removed FROM events;
    PERFORM set_config('ctops.audit_maintenance', 'off', true);
    RETURN removed;
END
$$;

INSERT INTO audit_events (id, at, org_id, actor_kind, actor_id, actor_name, action, target_type, target_id,
                          target_label, summary, before, after, ip)
SELECT id, at, org_id, actor_kind, actor_id, audit_actor_name(actor_kind, actor_id), action, target_type, target_id,
       audit_target_label(target_type, target_id), summary, before, after, ip
FROM audit_events_before;
INSERT INTO audit_unsealed (event_id, event_at)
SELECT id, at FROM audit_events ORDER BY at, id;
-- Every row was copied above.
DROP TABLE audit_events_before;

CREATE TRIGGER audit_events_queue AFTER INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_queue();
CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_chain_append_only BEFORE UPDATE OR DELETE ON audit_chain
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_chain_no_truncate BEFORE TRUNCATE ON audit_chain
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_checkpoints_append_only BEFORE UPDATE OR DELETE ON audit_checkpoints
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_checkpoints_no_truncate BEFORE TRUNCATE ON audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
