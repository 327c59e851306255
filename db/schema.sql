-- What the files of db/migrations add up to. Generated: do not edit.
-- To write it anew: CT_OPS_BLESS=1 cargo test -p ctops-pg schema

CREATE FUNCTION public.audit_actor_name(kind text, actor text) RETURNS text
    LANGUAGE plpgsql STABLE
    AS $_$
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
$_$;

CREATE FUNCTION public.audit_make_partitions(since date, months integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    SET lock_timeout TO '5s'
    AS $_$
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
$_$;

CREATE FUNCTION public.audit_prune(chain uuid, up_to bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.audit_queue() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO audit_unsealed (event_id, event_at) VALUES (NEW.id, NEW.at);
    RETURN NULL;
END
$$;

CREATE FUNCTION public.audit_refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('ctops.audit_maintenance', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE FUNCTION public.audit_target_label(kind text, target text) RETURNS text
    LANGUAGE plpgsql STABLE
    AS $_$
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
$_$;

CREATE TABLE public.activation_tokens (
    nonce text NOT NULL,
    org_id uuid NOT NULL,
    created_by uuid,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE public.address_links (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    user_id uuid,
    registration_id uuid,
    email text NOT NULL,
    token_hash bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT address_links_check CHECK ((num_nonnulls(user_id, registration_id) = 1)),
    CONSTRAINT address_links_email_check CHECK (((char_length(email) >= 3) AND (char_length(email) <= 254))),
    CONSTRAINT address_links_token_hash_check CHECK ((octet_length(token_hash) = 32))
);

CREATE TABLE public.agent_certificates (
    serial text NOT NULL,
    agent_id text NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    not_after timestamp with time zone NOT NULL,
    CONSTRAINT agent_certificates_serial_check CHECK ((serial ~ '^[0-9a-f]+$'::text))
);

CREATE TABLE public.agent_enrolment_tokens (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    label text NOT NULL,
    token_hash bytea NOT NULL,
    hint_prefix text NOT NULL,
    hint_suffix text NOT NULL,
    auto_approve boolean DEFAULT false NOT NULL,
    skip_verify boolean DEFAULT false NOT NULL,
    max_uses integer,
    usage_count integer DEFAULT 0 NOT NULL,
    last_used_at timestamp with time zone,
    expires_at timestamp with time zone,
    tags jsonb DEFAULT '[]'::jsonb NOT NULL,
    created_by uuid,
    created_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    revoked_by uuid,
    CONSTRAINT agent_enrolment_tokens_check CHECK (((max_uses IS NULL) OR (usage_count <= max_uses))),
    CONSTRAINT agent_enrolment_tokens_hint_prefix_check CHECK ((char_length(hint_prefix) = 8)),
    CONSTRAINT agent_enrolment_tokens_hint_suffix_check CHECK ((char_length(hint_suffix) = 4)),
    CONSTRAINT agent_enrolment_tokens_label_check CHECK (((char_length(label) >= 1) AND (char_length(label) <= 100))),
    CONSTRAINT agent_enrolment_tokens_max_uses_check CHECK ((max_uses >= 1)),
    CONSTRAINT agent_enrolment_tokens_token_hash_check CHECK ((octet_length(token_hash) = 32)),
    CONSTRAINT agent_enrolment_tokens_usage_count_check CHECK ((usage_count >= 0))
);

CREATE TABLE public.agent_leases (
    agent_id text NOT NULL,
    host_id uuid NOT NULL,
    session_id uuid NOT NULL,
    node_id uuid NOT NULL,
    began_at timestamp with time zone NOT NULL,
    interval_seconds integer NOT NULL,
    CONSTRAINT agent_leases_interval_seconds_check CHECK (((interval_seconds >= 5) AND (interval_seconds <= 300)))
);

CREATE TABLE public.agent_queries (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    host_id uuid NOT NULL,
    kind text NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    result_json text,
    error text DEFAULT ''::text NOT NULL,
    requested_by uuid,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    completed_at timestamp with time zone,
    CONSTRAINT agent_queries_kind_check CHECK ((kind = ANY (ARRAY['list_ports'::text, 'list_services'::text]))),
    CONSTRAINT agent_queries_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'complete'::text, 'error'::text])))
);

CREATE TABLE public.agent_releases (
    id uuid NOT NULL,
    channel text NOT NULL,
    version text NOT NULL,
    version_rank bigint NOT NULL,
    minimum_version text NOT NULL,
    minimum_rank bigint NOT NULL,
    released_at timestamp with time zone NOT NULL,
    artifacts jsonb NOT NULL,
    manifest_json bytea NOT NULL,
    signature bytea NOT NULL,
    published_at timestamp with time zone NOT NULL,
    published_by uuid,
    withdrawn_at timestamp with time zone,
    CONSTRAINT agent_releases_channel_check CHECK ((channel ~ '^[a-z0-9-]{1,32}$'::text)),
    CONSTRAINT agent_releases_manifest_json_check CHECK ((octet_length(manifest_json) <= 65536)),
    CONSTRAINT agent_releases_signature_check CHECK ((octet_length(signature) = 64))
);

COMMENT ON TABLE public.agent_releases IS 'Releases of the agent for the whole installation; the programs are files named by their digest';

COMMENT ON COLUMN public.agent_releases.version_rank IS 'The version as a number that orders like it';

COMMENT ON COLUMN public.agent_releases.manifest_json IS 'Exactly as it was signed';

CREATE TABLE public.agent_rollout_members (
    rollout_id uuid NOT NULL,
    agent_id text NOT NULL,
    wave integer NOT NULL,
    offered_at timestamp with time zone,
    outcome text,
    outcome_at timestamp with time zone,
    CONSTRAINT agent_rollout_members_outcome_check CHECK ((outcome = ANY (ARRAY['updated'::text, 'rolled_back'::text, 'refused'::text, 'failed'::text])))
);

CREATE TABLE public.agent_rollouts (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    release_id uuid NOT NULL,
    channel text NOT NULL,
    waves integer[] NOT NULL,
    halt_percent integer NOT NULL,
    wave integer DEFAULT 0 NOT NULL,
    state text NOT NULL,
    halt_reason text DEFAULT ''::text NOT NULL,
    began_at timestamp with time zone NOT NULL,
    wave_began_at timestamp with time zone NOT NULL,
    counted_from timestamp with time zone NOT NULL,
    started_by uuid,
    CONSTRAINT agent_rollouts_state_check CHECK ((state = ANY (ARRAY['running'::text, 'halted'::text, 'finished'::text, 'superseded'::text]))),
    CONSTRAINT agent_rollouts_wave_check CHECK ((wave >= 0))
);

COMMENT ON COLUMN public.agent_rollouts.wave IS 'Number of the current wave, from 0; members of this and earlier waves are offered the release';

COMMENT ON COLUMN public.agent_rollouts.counted_from IS 'Failures before this moment do not count: an administrator resumed the rollout knowing them';

CREATE TABLE public.agent_status_history (
    id bigint NOT NULL,
    agent_id text NOT NULL,
    status text NOT NULL,
    actor_id uuid,
    reason text DEFAULT ''::text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT agent_status_history_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'active'::text, 'offline'::text, 'revoked'::text, 'adopted'::text])))
);

ALTER TABLE public.agent_status_history ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.agent_status_history_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.agent_update_settings (
    org_id uuid NOT NULL,
    waves integer[] DEFAULT '{10,50,100}'::integer[] NOT NULL,
    halt_percent integer DEFAULT 5 NOT NULL,
    update_originals boolean DEFAULT false NOT NULL,
    CONSTRAINT agent_update_settings_halt_percent_check CHECK (((halt_percent >= 0) AND (halt_percent <= 100)))
);

COMMENT ON COLUMN public.agent_update_settings.update_originals IS 'Tell agents of the original product, which verify nothing, to download the newest release';

CREATE TABLE public.agent_updates (
    agent_id text NOT NULL,
    channel text DEFAULT 'stable'::text NOT NULL,
    pinned_version text,
    requested_version text,
    requested_at timestamp with time zone,
    last_version text,
    last_outcome text,
    last_detail text DEFAULT ''::text NOT NULL,
    last_at timestamp with time zone,
    unconfirmed boolean DEFAULT false NOT NULL,
    CONSTRAINT agent_updates_channel_check CHECK ((channel ~ '^[a-z0-9-]{1,32}$'::text)),
    CONSTRAINT agent_updates_last_outcome_check CHECK ((last_outcome = ANY (ARRAY['updated'::text, 'rolled_back'::text, 'refused'::text, 'failed'::text])))
);

COMMENT ON COLUMN public.agent_updates.unconfirmed IS 'The agent waits to hear that its outcome is stored';

CREATE TABLE public.agents (
    id text NOT NULL,
    org_id uuid NOT NULL,
    host_id uuid,
    hostname text NOT NULL,
    public_key text NOT NULL,
    public_key_sha256 bytea NOT NULL,
    status text NOT NULL,
    version text,
    os text,
    os_version text,
    arch text,
    machine_id text,
    ip_addresses text[] DEFAULT '{}'::text[] NOT NULL,
    identity_ips text[] DEFAULT '{}'::text[] NOT NULL,
    enrolment_token_id uuid,
    pending_reason text,
    claims_host_id uuid,
    claim_matched_on text,
    tags jsonb DEFAULT '[]'::jsonb NOT NULL,
    approved_by uuid,
    approved_at timestamp with time zone,
    registered_at timestamp with time zone NOT NULL,
    pending_csr bytea,
    client_cert_pem text,
    client_cert_serial text,
    client_cert_not_after timestamp with time zone,
    deleted_at timestamp with time zone,
    CONSTRAINT agents_check CHECK (((claims_host_id IS NULL) = (claim_matched_on IS NULL))),
    CONSTRAINT agents_claim_matched_on_check CHECK ((claim_matched_on = ANY (ARRAY['machine_id'::text, 'hostname'::text, 'address'::text]))),
    CONSTRAINT agents_id_check CHECK ((id ~ '^[a-z0-9]{24}$'::text)),
    CONSTRAINT agents_public_key_sha256_check CHECK ((octet_length(public_key_sha256) = 32)),
    CONSTRAINT agents_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'active'::text, 'offline'::text, 'revoked'::text])))
);

COMMENT ON COLUMN public.agents.claims_host_id IS 'The existing host that a pending re-enrolment would take over (reenrolment_policy adopt_after_approval); host_id is null meanwhile';

CREATE TABLE public.api_keys (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    secret_hash bytea NOT NULL,
    hint text NOT NULL,
    scopes text[] NOT NULL,
    host_groups uuid[],
    allowed_networks text[],
    created_by uuid,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone,
    last_used_ip text,
    revoked_at timestamp with time zone,
    revoked_by uuid,
    CONSTRAINT api_keys_allowed_networks_check CHECK (((cardinality(allowed_networks) >= 1) AND (cardinality(allowed_networks) <= 50))),
    CONSTRAINT api_keys_hint_check CHECK ((char_length(hint) = 4)),
    CONSTRAINT api_keys_host_groups_check CHECK (((cardinality(host_groups) >= 1) AND (cardinality(host_groups) <= 50))),
    CONSTRAINT api_keys_kind_check CHECK ((kind = ANY (ARRAY['personal'::text, 'service'::text]))),
    CONSTRAINT api_keys_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 100))),
    CONSTRAINT api_keys_scopes_check CHECK (((cardinality(scopes) >= 1) AND (cardinality(scopes) <= 200))),
    CONSTRAINT api_keys_secret_hash_check CHECK ((octet_length(secret_hash) = 32))
);

COMMENT ON COLUMN public.api_keys.user_id IS 'Whose rights it has: its owner, or the service account that was made for it';

COMMENT ON COLUMN public.api_keys.host_groups IS 'The only host groups it reaches; empty means all that its user reaches';

COMMENT ON COLUMN public.api_keys.allowed_networks IS 'CIDR networks it may be used from; empty means everywhere';

CREATE TABLE public.audit_chain (
    chain_id uuid NOT NULL,
    seq bigint NOT NULL,
    event_id uuid NOT NULL,
    event_at timestamp with time zone NOT NULL,
    prev_hash bytea NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT audit_chain_hash_check CHECK ((octet_length(hash) = 32)),
    CONSTRAINT audit_chain_prev_hash_check CHECK ((octet_length(prev_hash) = 32)),
    CONSTRAINT audit_chain_seq_check CHECK ((seq > 0))
);

COMMENT ON COLUMN public.audit_chain.hash IS 'SHA-256 over prev_hash and the canonical form of the event';

CREATE TABLE public.audit_checkpoints (
    id uuid NOT NULL,
    chain_id uuid NOT NULL,
    kind text NOT NULL,
    seq bigint NOT NULL,
    hash bytea NOT NULL,
    events bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    public_key bytea NOT NULL,
    signature bytea NOT NULL,
    CONSTRAINT audit_checkpoints_events_check CHECK ((events >= 0)),
    CONSTRAINT audit_checkpoints_hash_check CHECK ((octet_length(hash) = 32)),
    CONSTRAINT audit_checkpoints_kind_check CHECK ((kind = ANY (ARRAY['daily'::text, 'prune'::text]))),
    CONSTRAINT audit_checkpoints_public_key_check CHECK ((octet_length(public_key) = 32)),
    CONSTRAINT audit_checkpoints_signature_check CHECK ((octet_length(signature) = 64))
);

COMMENT ON COLUMN public.audit_checkpoints.events IS 'Daily: events of the chain so far; prune: events that were removed';

CREATE TABLE public.audit_denied (
    org_id uuid NOT NULL,
    actor_kind text NOT NULL,
    actor_id uuid NOT NULL,
    actor_name text NOT NULL,
    operation text NOT NULL,
    target text NOT NULL,
    reason_code text NOT NULL,
    minute timestamp with time zone NOT NULL,
    context jsonb NOT NULL,
    first_at timestamp with time zone NOT NULL,
    repeats integer NOT NULL
);

COMMENT ON TABLE public.audit_denied IS 'Refused attempts of the running minute; afterwards each row becomes one event';

CREATE TABLE public.audit_events (
    id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    org_id uuid,
    actor_kind text NOT NULL,
    actor_id text,
    actor_name text,
    action text NOT NULL,
    target_type text NOT NULL,
    target_id text,
    target_label text,
    outcome text DEFAULT 'success'::text NOT NULL,
    reason_code text,
    cause text,
    summary text NOT NULL,
    before jsonb,
    after jsonb,
    repeats integer DEFAULT 1 NOT NULL,
    ip text,
    user_agent text,
    request_id text,
    session_hash text,
    auth_method text,
    second_factor boolean,
    api_key_id uuid,
    CONSTRAINT audit_events_action_check CHECK (((char_length(action) >= 3) AND (char_length(action) <= 100))),
    CONSTRAINT audit_events_actor_kind_check1 CHECK ((actor_kind = ANY (ARRAY['user'::text, 'api_key'::text, 'system'::text, 'agent'::text, 'setup'::text, 'support_cli'::text, 'anonymous'::text]))),
    CONSTRAINT audit_events_outcome_check CHECK ((outcome = ANY (ARRAY['success'::text, 'denied'::text, 'failed'::text]))),
    CONSTRAINT audit_events_repeats_check CHECK ((repeats > 0))
)
PARTITION BY RANGE (at);

COMMENT ON TABLE public.audit_events IS 'Append-only, a partition per month; what is written here is sealed into audit_chain within seconds';

COMMENT ON COLUMN public.audit_events.repeats IS 'Equal refused attempts of one minute that this event stands for';

COMMENT ON COLUMN public.audit_events.session_hash IS 'First half of the SHA-256 of the session id: tells sessions apart, opens none';

CREATE TABLE public.audit_events_default (
    id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    org_id uuid,
    actor_kind text NOT NULL,
    actor_id text,
    actor_name text,
    action text NOT NULL,
    target_type text NOT NULL,
    target_id text,
    target_label text,
    outcome text DEFAULT 'success'::text NOT NULL,
    reason_code text,
    cause text,
    summary text NOT NULL,
    before jsonb,
    after jsonb,
    repeats integer DEFAULT 1 NOT NULL,
    ip text,
    user_agent text,
    request_id text,
    session_hash text,
    auth_method text,
    second_factor boolean,
    api_key_id uuid,
    CONSTRAINT audit_events_action_check CHECK (((char_length(action) >= 3) AND (char_length(action) <= 100))),
    CONSTRAINT audit_events_actor_kind_check1 CHECK ((actor_kind = ANY (ARRAY['user'::text, 'api_key'::text, 'system'::text, 'agent'::text, 'setup'::text, 'support_cli'::text, 'anonymous'::text]))),
    CONSTRAINT audit_events_outcome_check CHECK ((outcome = ANY (ARRAY['success'::text, 'denied'::text, 'failed'::text]))),
    CONSTRAINT audit_events_repeats_check CHECK ((repeats > 0))
);

CREATE TABLE public.audit_exports (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    format text NOT NULL,
    filter jsonb NOT NULL,
    last_seq bigint NOT NULL,
    events bigint NOT NULL,
    first_hash bytea,
    last_hash bytea,
    exporter_id uuid NOT NULL,
    exporter text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    sha256 bytea,
    signature bytea,
    public_key bytea,
    finished_at timestamp with time zone,
    CONSTRAINT audit_exports_format_check CHECK ((format = ANY (ARRAY['csv'::text, 'jsonl'::text, 'cef'::text])))
);

COMMENT ON COLUMN public.audit_exports.last_seq IS 'The export ends with this link of the chain, so that every download has the same bytes';

CREATE TABLE public.audit_forwarders (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    endpoint text NOT NULL,
    secret_encrypted bytea,
    enabled boolean DEFAULT true NOT NULL,
    cursor_seq bigint DEFAULT 0 NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    last_error text,
    last_sent_at timestamp with time zone,
    next_attempt_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT audit_forwarders_endpoint_check CHECK (((char_length(endpoint) >= 1) AND (char_length(endpoint) <= 2000))),
    CONSTRAINT audit_forwarders_kind_check CHECK ((kind = ANY (ARRAY['syslog_tcp'::text, 'syslog_tls'::text, 'webhook'::text]))),
    CONSTRAINT audit_forwarders_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 100)))
);

CREATE TABLE public.audit_holds (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    reason text NOT NULL,
    set_by uuid NOT NULL,
    set_by_name text NOT NULL,
    set_at timestamp with time zone NOT NULL,
    lifted_at timestamp with time zone,
    CONSTRAINT audit_holds_reason_check CHECK (((char_length(reason) >= 3) AND (char_length(reason) <= 500)))
);

CREATE TABLE public.audit_settings (
    org_id uuid NOT NULL,
    retention_days integer NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT audit_settings_retention_days_check CHECK (((retention_days >= 30) AND (retention_days <= 3650)))
);

COMMENT ON TABLE public.audit_settings IS 'No row means 365 days';

CREATE TABLE public.audit_unsealed (
    event_id uuid NOT NULL,
    event_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.audit_unsealed IS 'Filled by a trigger of audit_events, emptied by the process that seals';

CREATE TABLE public.certificate_authorities (
    id uuid NOT NULL,
    purpose text NOT NULL,
    cert_pem text NOT NULL,
    key_sealed bytea NOT NULL,
    fingerprint_sha256 text NOT NULL,
    not_before timestamp with time zone NOT NULL,
    not_after timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    retired_at timestamp with time zone,
    CONSTRAINT certificate_authorities_fingerprint_sha256_check CHECK ((fingerprint_sha256 ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT certificate_authorities_purpose_check CHECK ((purpose = ANY (ARRAY['agent_ca'::text, 'server_ca'::text])))
);

CREATE TABLE public.check_results (
    check_id uuid NOT NULL,
    host_id uuid NOT NULL,
    ran_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    status text NOT NULL,
    duration_ms bigint NOT NULL,
    output text NOT NULL,
    CONSTRAINT check_results_status_check CHECK ((status = ANY (ARRAY['pass'::text, 'fail'::text, 'error'::text])))
);

COMMENT ON TABLE public.check_results IS 'Pruned per check by a job; the key makes a repeated result one row';

CREATE TABLE public.checks (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    host_id uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    config jsonb NOT NULL,
    secrets bytea,
    interval_seconds integer NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    run_requested_at timestamp with time zone,
    run_answered boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT checks_interval_seconds_check CHECK (((interval_seconds >= 10) AND (interval_seconds <= 3600))),
    CONSTRAINT checks_kind_check CHECK ((kind = ANY (ARRAY['port'::text, 'process'::text, 'http'::text, 'certificate'::text, 'cert_file'::text, 'service_account'::text, 'ssh_key_scan'::text, 'patch_status'::text, 'script'::text]))),
    CONSTRAINT checks_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 100)))
);

COMMENT ON COLUMN public.checks.config IS 'Parameters without secrets, validated and with defaults filled in';

COMMENT ON COLUMN public.checks.secrets IS 'Sealed with the install key: JSON of the keystore password and secret header values';

CREATE TABLE public.consumer_offsets (
    group_name text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    log_id text NOT NULL,
    next_offset bigint NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT consumer_offsets_next_offset_check CHECK ((next_offset >= 0)),
    CONSTRAINT consumer_offsets_partition_check CHECK ((partition >= 0))
);

COMMENT ON TABLE public.consumer_offsets IS 'Written in the same transaction as what the records caused; log_id tells a replaced queue from the one the offset belongs to';

CREATE TABLE public.container_batches (
    host_id uuid NOT NULL,
    batch_id text NOT NULL COLLATE pg_catalog."C",
    sequence bigint NOT NULL,
    samples integer NOT NULL,
    inventory_items integer NOT NULL,
    dropped bigint NOT NULL,
    received_at timestamp with time zone NOT NULL,
    CONSTRAINT container_batches_batch_id_check CHECK (((octet_length(batch_id) >= 1) AND (octet_length(batch_id) <= 256)))
);

COMMENT ON TABLE public.container_batches IS 'Batches of the last 7 days: a repeated one is acknowledged and not stored again';

CREATE TABLE public.container_events (
    id bigint NOT NULL,
    host_id uuid NOT NULL,
    container_id uuid NOT NULL,
    kind text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    state text NOT NULL,
    health text,
    restart_count integer NOT NULL,
    exit_code integer,
    CONSTRAINT container_events_kind_check CHECK ((kind = ANY (ARRAY['started'::text, 'stopped'::text, 'restarted'::text, 'disappeared'::text, 'appeared'::text, 'health_changed'::text])))
);

ALTER TABLE public.container_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.container_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.container_host_settings (
    host_id uuid NOT NULL,
    org_id uuid NOT NULL,
    enabled boolean,
    retention_days integer,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT container_host_settings_retention_days_check CHECK (((retention_days >= 1) AND (retention_days <= 365)))
);

COMMENT ON TABLE public.container_host_settings IS 'Null means: as the organisation';

CREATE TABLE public.container_runtimes (
    host_id uuid NOT NULL,
    runtime text NOT NULL,
    org_id uuid NOT NULL,
    status text DEFAULT 'unknown'::text NOT NULL,
    version text,
    api_version text,
    error text,
    checked_at timestamp with time zone,
    reported_at timestamp with time zone,
    last_complete_at timestamp with time zone,
    lost_samples bigint DEFAULT 0 NOT NULL,
    rejected_samples bigint DEFAULT 0 NOT NULL,
    CONSTRAINT container_runtimes_error_check CHECK ((octet_length(error) <= 512)),
    CONSTRAINT container_runtimes_runtime_check CHECK ((runtime = ANY (ARRAY['docker'::text, 'podman'::text]))),
    CONSTRAINT container_runtimes_status_check CHECK ((status = ANY (ARRAY['not_installed'::text, 'installed'::text, 'permission_denied'::text, 'unreachable'::text, 'error'::text, 'unknown'::text])))
);

COMMENT ON COLUMN public.container_runtimes.last_complete_at IS 'Arrival of the last complete inventory';

COMMENT ON COLUMN public.container_runtimes.lost_samples IS 'Samples that the agent had to drop';

COMMENT ON COLUMN public.container_runtimes.rejected_samples IS 'Samples with times or values that cannot be right, or of unknown containers';

CREATE TABLE public.container_samples (
    container_id uuid NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    cpu_percent real NOT NULL,
    cpu_cores real,
    memory_used bigint NOT NULL,
    memory_limit bigint,
    memory_percent real NOT NULL,
    rx_bytes bigint NOT NULL,
    tx_bytes bigint NOT NULL,
    rx_bps real,
    tx_bps real,
    block_read_bytes bigint NOT NULL,
    block_write_bytes bigint NOT NULL,
    block_read_bps real,
    block_write_bps real,
    pids integer NOT NULL,
    restart_count integer NOT NULL
)
PARTITION BY RANGE (recorded_at);

COMMENT ON TABLE public.container_samples IS 'Rates are per second since the sample before; null after a restart or a gap. Day partitions are made ahead of time';

COMMENT ON COLUMN public.container_samples.cpu_percent IS 'Per cent of one core, so more than 100 on several';

CREATE TABLE public.container_samples_default (
    container_id uuid NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    cpu_percent real NOT NULL,
    cpu_cores real,
    memory_used bigint NOT NULL,
    memory_limit bigint,
    memory_percent real NOT NULL,
    rx_bytes bigint NOT NULL,
    tx_bytes bigint NOT NULL,
    rx_bps real,
    tx_bps real,
    block_read_bytes bigint NOT NULL,
    block_write_bytes bigint NOT NULL,
    block_read_bps real,
    block_write_bps real,
    pids integer NOT NULL,
    restart_count integer NOT NULL
);

CREATE TABLE public.container_settings (
    org_id uuid NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    sample_interval_seconds integer DEFAULT 10 NOT NULL,
    inventory_interval_seconds integer DEFAULT 30 NOT NULL,
    retention_days integer DEFAULT 30 NOT NULL,
    label_prefixes text[] DEFAULT '{}'::text[] NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT container_settings_inventory_interval_seconds_check CHECK (((inventory_interval_seconds >= 30) AND (inventory_interval_seconds <= 3600))),
    CONSTRAINT container_settings_retention_days_check CHECK (((retention_days >= 1) AND (retention_days <= 365))),
    CONSTRAINT container_settings_sample_interval_seconds_check CHECK (((sample_interval_seconds >= 2) AND (sample_interval_seconds <= 300)))
);

COMMENT ON TABLE public.container_settings IS 'No row means the defaults; agents know those and are told nothing';

CREATE TABLE public.containers (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    host_id uuid NOT NULL,
    runtime text NOT NULL,
    container_id text NOT NULL COLLATE pg_catalog."C",
    primary_name text NOT NULL,
    names text[] NOT NULL,
    image text NOT NULL,
    image_id text NOT NULL,
    labels jsonb DEFAULT '{}'::jsonb NOT NULL,
    project text,
    state text NOT NULL,
    status text NOT NULL,
    health text,
    exit_code integer,
    restart_count integer NOT NULL,
    created_at_source timestamp with time zone,
    started_at_source timestamp with time zone,
    finished_at_source timestamp with time zone,
    first_seen_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    last_inventory_id text,
    is_present boolean DEFAULT true NOT NULL,
    CONSTRAINT containers_container_id_check CHECK (((octet_length(container_id) >= 1) AND (octet_length(container_id) <= 128)))
)
WITH (fillfactor='80');

CREATE TABLE public.custom_role_terms (
    role_id uuid NOT NULL,
    "position" smallint NOT NULL,
    kind text NOT NULL,
    group_ids uuid[] NOT NULL,
    negated boolean NOT NULL,
    CONSTRAINT custom_role_terms_group_ids_check CHECK (((cardinality(group_ids) >= 1) AND (cardinality(group_ids) <= 50))),
    CONSTRAINT custom_role_terms_kind_check CHECK ((kind = 'host_groups'::text))
);

COMMENT ON TABLE public.custom_role_terms IS 'A host is selected when it meets every term; a role without terms reaches the whole organisation';

CREATE TABLE public.custom_roles (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    base text,
    permissions text[] NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_by uuid,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT custom_roles_base_check CHECK ((base = ANY (ARRAY['read_only'::text, 'engineer'::text, 'org_admin'::text]))),
    CONSTRAINT custom_roles_description_check CHECK ((char_length(description) <= 1000)),
    CONSTRAINT custom_roles_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 100)))
);

COMMENT ON COLUMN public.custom_roles.base IS 'The built-in role it was made from; what it gives stands in permissions';

CREATE TABLE public.dead_letters (
    id bigint NOT NULL,
    group_name text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    log_id text NOT NULL,
    "offset" bigint NOT NULL,
    key bytea NOT NULL,
    payload bytea NOT NULL,
    reason text NOT NULL,
    parked_at timestamp with time zone NOT NULL,
    refusals integer DEFAULT 1 NOT NULL,
    replay_requested_at timestamp with time zone,
    replayed_at timestamp with time zone,
    CONSTRAINT dead_letters_refusals_check CHECK ((refusals > 0))
);

COMMENT ON COLUMN public.dead_letters.refusals IS 'How often the consumer group could not apply it, replays included';

COMMENT ON COLUMN public.dead_letters.replayed_at IS 'Set in the transaction that applied the record, so that it is applied once';

ALTER TABLE public.dead_letters ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.dead_letters_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.egress_settings (
    org_id uuid NOT NULL,
    mode text NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT egress_settings_mode_check CHECK ((mode = ANY (ARRAY['internal'::text, 'public-only'::text, 'closed'::text])))
);

COMMENT ON TABLE public.egress_settings IS 'No row means internal';

CREATE TABLE public.egress_targets (
    org_id uuid NOT NULL,
    target text NOT NULL,
    note text NOT NULL,
    created_by uuid,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT egress_targets_note_check CHECK ((char_length(note) <= 200)),
    CONSTRAINT egress_targets_target_check CHECK (((char_length(target) >= 1) AND (char_length(target) <= 254)))
);

COMMENT ON COLUMN public.egress_targets.target IS 'A range, an address, a host name or a suffix such as .corp.example, in canonical form';

CREATE TABLE public.external_identities (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    user_id uuid NOT NULL,
    provider text NOT NULL,
    provider_id uuid NOT NULL,
    subject text NOT NULL,
    name text NOT NULL,
    linked_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone NOT NULL,
    CONSTRAINT external_identities_provider_check CHECK ((provider = ANY (ARRAY['ldap'::text, 'oidc'::text, 'saml'::text]))),
    CONSTRAINT external_identities_subject_check CHECK (((octet_length(subject) >= 1) AND (octet_length(subject) <= 2000)))
);

COMMENT ON TABLE public.external_identities IS 'An identity is known by provider and subject only, never by its address, which its owner may change';

CREATE TABLE public.feature_flags (
    org_id uuid NOT NULL,
    key text NOT NULL,
    value boolean NOT NULL,
    updated_by uuid,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT feature_flags_key_check CHECK (((char_length(key) >= 1) AND (char_length(key) <= 60)))
);

COMMENT ON TABLE public.feature_flags IS 'Flags are declared in code; rows of flags that a release does not know have no effect';

CREATE TABLE public.host_defaults (
    org_id uuid NOT NULL,
    revision bigint NOT NULL,
    heartbeat_interval_seconds integer,
    collect_cpu boolean NOT NULL,
    collect_memory boolean NOT NULL,
    collect_disk boolean NOT NULL,
    collect_network boolean NOT NULL,
    collect_containers boolean NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT host_defaults_heartbeat_interval_seconds_check CHECK (((heartbeat_interval_seconds >= 5) AND (heartbeat_interval_seconds <= 300))),
    CONSTRAINT host_defaults_revision_check CHECK ((revision > 1))
);

COMMENT ON TABLE public.host_defaults IS 'No row means that everything is collected; agents do so by themselves and are told nothing';

COMMENT ON COLUMN public.host_defaults.revision IS 'Grows with every change; milliseconds of the change or more, so that another installation never gives the same';

COMMENT ON COLUMN public.host_defaults.heartbeat_interval_seconds IS 'Null leaves it to the configuration of each agent';

CREATE TABLE public.host_disk_samples (
    host_id uuid NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    mount_point text NOT NULL,
    total_bytes bigint NOT NULL,
    used_bytes bigint NOT NULL,
    used_centi smallint NOT NULL,
    CONSTRAINT host_disk_samples_mount_point_check CHECK (((char_length(mount_point) >= 1) AND (char_length(mount_point) <= 255)))
)
PARTITION BY RANGE (recorded_at);

COMMENT ON TABLE public.host_disk_samples IS 'Space used on each mount point, once a minute';

CREATE TABLE public.host_disk_samples_1d (
    host_id uuid NOT NULL,
    bucket timestamp with time zone NOT NULL,
    mount_point text NOT NULL,
    samples integer NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    used_centi_count integer,
    used_centi_sum bigint,
    used_centi_min smallint,
    used_centi_max smallint
);

CREATE TABLE public.host_disk_samples_1h (
    host_id uuid NOT NULL,
    bucket timestamp with time zone NOT NULL,
    mount_point text NOT NULL,
    samples integer NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    used_centi_count integer,
    used_centi_sum bigint,
    used_centi_min smallint,
    used_centi_max smallint
)
PARTITION BY RANGE (bucket);

CREATE TABLE public.host_disk_samples_1h_default (
    host_id uuid NOT NULL,
    bucket timestamp with time zone NOT NULL,
    mount_point text NOT NULL,
    samples integer NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    used_centi_count integer,
    used_centi_sum bigint,
    used_centi_min smallint,
    used_centi_max smallint
);

CREATE TABLE public.host_disk_samples_1m (
    host_id uuid NOT NULL,
    bucket timestamp with time zone NOT NULL,
    mount_point text NOT NULL,
    samples integer NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    used_centi_count integer,
    used_centi_sum bigint,
    used_centi_min smallint,
    used_centi_max smallint
)
PARTITION BY RANGE (bucket);

CREATE TABLE public.host_disk_samples_1m_default (
    host_id uuid NOT NULL,
    bucket timestamp with time zone NOT NULL,
    mount_point text NOT NULL,
    samples integer NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    used_centi_count integer,
    used_centi_sum bigint,
    used_centi_min smallint,
    used_centi_max smallint
);

CREATE TABLE public.host_disk_samples_default (
    host_id uuid NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    mount_point text NOT NULL,
    total_bytes bigint NOT NULL,
    used_bytes bigint NOT NULL,
    used_centi smallint NOT NULL,
    CONSTRAINT host_disk_samples_mount_point_check CHECK (((char_length(mount_point) >= 1) AND (char_length(mount_point) <= 255)))
);

CREATE TABLE public.host_group_members (
    group_id uuid NOT NULL,
    host_id uuid NOT NULL,
    source text DEFAULT 'manual'::text NOT NULL,
    added_by uuid,
    added_at timestamp with time zone NOT NULL,
    CONSTRAINT host_group_members_source_check CHECK ((source = ANY (ARRAY['manual'::text, 'dynamic'::text])))
);

CREATE TABLE public.host_groups (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    kind text DEFAULT 'static'::text NOT NULL,
    filter jsonb,
    created_by uuid,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT host_groups_description_check CHECK ((char_length(description) <= 1000)),
    CONSTRAINT host_groups_filter_is_dynamic CHECK (((filter IS NULL) = (kind = 'static'::text))),
    CONSTRAINT host_groups_kind_check CHECK ((kind = ANY (ARRAY['static'::text, 'dynamic'::text]))),
    CONSTRAINT host_groups_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 255)))
);

COMMENT ON COLUMN public.host_groups.deleted_at IS 'Soft: the members stay for 30 days and come back with the group; nothing else does';

CREATE TABLE public.host_network_samples (
    host_id uuid NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    interface text NOT NULL,
    receive_bytes bigint NOT NULL,
    transmit_bytes bigint NOT NULL,
    receive_errors_centi integer NOT NULL,
    transmit_errors_centi integer NOT NULL,
    CONSTRAINT host_network_samples_interface_check CHECK (((char_length(interface) >= 1) AND (char_length(interface) <= 255)))
)
PARTITION BY RANGE (recorded_at);

COMMENT ON TABLE public.host_network_samples IS 'Traffic per second of each interface since the sample before';

CREATE TABLE public.host_network_samples_1d (
    host_id uuid NOT NULL,
    bucket timestamp with time zone NOT NULL,
    interface text NOT NULL,
    samples integer NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    receive_bytes_count integer,
    receive_bytes_sum bigint,
    receive_bytes_min bigint,
    receive_bytes_max bigint,
    transmit_bytes_count integer,
    transmit_bytes_sum bigint,
    transmit_bytes_min bigint,
    transmit_bytes_max bigint,
    receive_errors_centi_count integer,
    receive_errors_centi_sum bigint,
    receive_errors_centi_min integer,
    receive_errors_centi_max integer,
    transmit_errors_centi_count integer,
    transmit_errors_centi_sum bigint,
    transmit_errors_centi_min integer,
    transmit_errors_centi_max integer
);

CREATE TABLE public.host_network_samples_1h (
    host_id uuid NOT NULL,
    bucket timestamp with time zone NOT NULL,
    interface text NOT NULL,
    samples integer NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    receive_bytes_count integer,
    receive_bytes_sum bigint,
    receive_bytes_min bigint,
    receive_bytes_max bigint,
    transmit_bytes_count integer,
    transmit_bytes_sum bigint,
    transmit_bytes_min bigint,
    transmit_bytes_max bigint,
    receive_errors_centi_count integer,
    receive_errors_centi_sum bigint,
    receive_errors_centi_min integer,
    receive_errors_centi_max integer,
    transmit_errors_centi_count integer,
    transmit_errors_centi_sum bigint,
    transmit_errors_centi_min integer,
    transmit_errors_centi_max integer
)
PARTITION BY RANGE (bucket);

CREATE TABLE public.host_network_samples_1h_default (
    host_id uuid NOT NULL,
    bucket timestamp with time zone NOT NULL,
    interface text NOT NULL,
    samples integer NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    receive_bytes_count integer,
    receive_bytes_sum bigint,
    receive_bytes_min bigint,
    receive_bytes_max bigint,
    transmit_bytes_count integer,
    transmit_bytes_sum bigint,
    transmit_bytes_min bigint,
    transmit_bytes_max bigint,
    receive_errors_centi_count integer,
    receive_errors_centi_sum bigint,
    receive_errors_centi_min integer,
    receive_errors_centi_max integer,
    transmit_errors_centi_count integer,
    transmit_errors_centi_sum bigint,
    transmit_errors_centi_min integer,
    transmit_errors_centi_max integer
);

CREATE TABLE public.host_network_samples_1m (
    host_id uuid NOT NULL,
    bucket timestamp with time zone NOT NULL,
    interface text NOT NULL,
    samples integer NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    receive_bytes_count integer,
    receive_bytes_sum bigint,
    receive_bytes_min bigint,
    receive_bytes_max bigint,
    transmit_bytes_count integer,
    transmit_bytes_sum bigint,
    transmit_bytes_min bigint,
    transmit_bytes_max bigint,
    receive_errors_centi_count integer,
    receive_errors_centi_sum bigint,
    receive_errors_centi_min integer,
    receive_errors_centi_max integer,
    transmit_errors_centi_count integer,
    transmit_errors_centi_sum bigint,
    transmit_errors_centi_min integer,
    transmit_errors_centi_max integer
)
PARTITION BY RANGE (bucket);

CREATE TABLE public.host_network_samples_1m_default (
    host_id uuid NOT NULL,
    bucket timestamp with time zone NOT NULL,
    interface text NOT NULL,
    samples integer NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    receive_bytes_count integer,
    receive_bytes_sum bigint,
    receive_bytes_min bigint,
    receive_bytes_max bigint,
    transmit_bytes_count integer,
    transmit_bytes_sum bigint,
    transmit_bytes_min bigint,
    transmit_bytes_max bigint,
    receive_errors_centi_count integer,
    receive_errors_centi_sum bigint,
    receive_errors_centi_min integer,
    receive_errors_centi_max integer,
    transmit_errors_centi_count integer,
    transmit_errors_centi_sum bigint,
    transmit_errors_centi_min integer,
    transmit_errors_centi_max integer
);

CREATE TABLE public.host_network_samples_default (
    host_id uuid NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    interface text NOT NULL,
    receive_bytes bigint NOT NULL,
    transmit_bytes bigint NOT NULL,
    receive_errors_centi integer NOT NULL,
    transmit_errors_centi integer NOT NULL,
    CONSTRAINT host_network_samples_interface_check CHECK (((char_length(interface) >= 1) AND (char_length(interface) <= 255)))
);

CREATE TABLE public.host_ssh_keys (
    host_id uuid NOT NULL,
    org_id uuid NOT NULL,
    trusted jsonb NOT NULL,
    trusted_at timestamp with time zone NOT NULL,
    pending jsonb,
    pending_since timestamp with time zone
);

COMMENT ON COLUMN public.host_ssh_keys.pending IS 'What the host reports instead of the trusted keys, until somebody accepts it';

CREATE TABLE public.host_vitals (
    host_id uuid NOT NULL,
    org_id uuid NOT NULL,
    status_changed_at timestamp with time zone NOT NULL,
    clock_skewed boolean DEFAULT false NOT NULL,
    status text DEFAULT 'unknown'::text NOT NULL COLLATE pg_catalog."C",
    name_key text NOT NULL COLLATE pg_catalog."C",
    search_text text NOT NULL COLLATE pg_catalog."C",
    os text COLLATE pg_catalog."C",
    arch text COLLATE pg_catalog."C",
    agent_version text COLLATE pg_catalog."C",
    cpu_centi smallint,
    memory_centi smallint,
    disk_centi smallint,
    uptime_seconds bigint,
    recorded_at timestamp with time zone,
    last_seen_at timestamp with time zone,
    CONSTRAINT host_vitals_cpu_centi_check CHECK (((cpu_centi >= 0) AND (cpu_centi <= 10000))),
    CONSTRAINT host_vitals_disk_centi_check CHECK (((disk_centi >= 0) AND (disk_centi <= 10000))),
    CONSTRAINT host_vitals_memory_centi_check CHECK (((memory_centi >= 0) AND (memory_centi <= 10000))),
    CONSTRAINT host_vitals_status_check CHECK ((status = ANY (ARRAY['online'::text, 'offline'::text, 'pending'::text, 'unknown'::text]))),
    CONSTRAINT host_vitals_uptime_seconds_check CHECK ((uptime_seconds >= 0))
)
WITH (fillfactor='60', parallel_workers='0');

COMMENT ON COLUMN public.host_vitals.name_key IS 'lower(hosts.hostname): the default order, and what decides between equals in every other';

COMMENT ON COLUMN public.host_vitals.search_text IS 'lower(hostname, display name, addresses), one per line; what free-text search looks at';

CREATE TABLE public.hosts (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    hostname text NOT NULL,
    display_name text DEFAULT ''::text NOT NULL,
    os text,
    os_version text,
    arch text,
    machine_id text,
    ip_addresses text[] DEFAULT '{}'::text[] NOT NULL,
    identity_ips text[] DEFAULT '{}'::text[] NOT NULL,
    disks jsonb DEFAULT '[]'::jsonb NOT NULL,
    interfaces jsonb DEFAULT '[]'::jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    CONSTRAINT hosts_display_name_check CHECK ((char_length(display_name) <= 100)),
    CONSTRAINT hosts_hostname_check CHECK (((char_length(hostname) >= 1) AND (char_length(hostname) <= 253)))
);

COMMENT ON COLUMN public.hosts.deleted_by IS 'Who deleted the host; null when it disappeared with an agent nobody approved';

CREATE TABLE public.identity_providers (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    enabled boolean DEFAULT false NOT NULL,
    settings jsonb NOT NULL,
    allowed_domains text[] DEFAULT '{}'::text[] NOT NULL,
    trust_email boolean DEFAULT false NOT NULL,
    role_map jsonb DEFAULT '[]'::jsonb NOT NULL,
    default_role text,
    secret bytea,
    secret_set_at timestamp with time zone,
    secret_set_by uuid,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT identity_providers_default_role_check CHECK ((default_role = ANY (ARRAY['org_admin'::text, 'engineer'::text, 'read_only'::text]))),
    CONSTRAINT identity_providers_kind_check CHECK ((kind = ANY (ARRAY['oidc'::text, 'saml'::text]))),
    CONSTRAINT identity_providers_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 100)))
);

COMMENT ON COLUMN public.identity_providers.settings IS 'What the protocol needs, without secrets, validated';

COMMENT ON COLUMN public.identity_providers.default_role IS 'Role of people in none of the mapped groups; nobody''s before an administrator approves them when empty';

COMMENT ON COLUMN public.identity_providers.secret IS 'Sealed with the install key: the client secret (OpenID Connect) or the private key of this service (SAML)';

CREATE TABLE public.ingest_nodes (
    id uuid NOT NULL,
    name text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    lease_until timestamp with time zone NOT NULL
);

CREATE TABLE public.invitations (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    email text NOT NULL,
    roles text[] NOT NULL,
    team_ids uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    host_group_ids uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    token_hash bytea NOT NULL,
    invited_by uuid,
    created_at timestamp with time zone NOT NULL,
    sent_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    accepted_at timestamp with time zone,
    accepted_by uuid,
    cancelled_at timestamp with time zone,
    CONSTRAINT invitations_email_check CHECK (((char_length(email) >= 3) AND (char_length(email) <= 254))),
    CONSTRAINT invitations_roles_check CHECK (((cardinality(roles) > 0) AND (roles <@ ARRAY['super_admin'::text, 'org_admin'::text, 'engineer'::text, 'read_only'::text]))),
    CONSTRAINT invitations_token_hash_check CHECK ((octet_length(token_hash) = 32))
);

COMMENT ON TABLE public.invitations IS 'Only the hash of a token is kept; a new link replaces the one before';

CREATE TABLE public.job_runs (
    job text NOT NULL,
    node text NOT NULL,
    every_seconds double precision NOT NULL,
    started_at timestamp with time zone NOT NULL,
    duration_ms bigint NOT NULL,
    succeeded boolean NOT NULL,
    error text,
    failures bigint DEFAULT 0 NOT NULL,
    succeeded_at timestamp with time zone,
    CONSTRAINT job_runs_duration_ms_check CHECK ((duration_ms >= 0)),
    CONSTRAINT job_runs_every_seconds_check CHECK ((every_seconds > (0)::double precision)),
    CONSTRAINT job_runs_failures_check CHECK ((failures >= 0))
);

COMMENT ON COLUMN public.job_runs.failures IS 'Runs that failed since the last one that succeeded';

CREATE TABLE public.ldap_configurations (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    name text NOT NULL,
    enabled boolean NOT NULL,
    login_allowed boolean NOT NULL,
    settings jsonb NOT NULL,
    sealed_bind_dn bytea,
    sealed_bind_password bytea,
    sealed_ca_pem bytea,
    version integer DEFAULT 1 NOT NULL,
    last_test_at timestamp with time zone,
    last_test_result jsonb,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ldap_configurations_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 255)))
);

COMMENT ON COLUMN public.ldap_configurations.settings IS 'Everything but secrets, validated: servers, bases, filters, attributes, maps of groups';

COMMENT ON COLUMN public.ldap_configurations.sealed_bind_password IS 'Sealed with the install key; removed when the servers change';

COMMENT ON COLUMN public.ldap_configurations.last_test_result IS 'Steps and times of the last test; no entry of the directory';

CREATE TABLE public.leader_leases (
    name text NOT NULL,
    holder uuid NOT NULL,
    holder_name text NOT NULL,
    held_since timestamp with time zone NOT NULL,
    lease_until timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.leader_leases IS 'One row per task of which the installation has one; the time is that of the database';

CREATE TABLE public.licence_clock (
    singleton boolean DEFAULT true NOT NULL,
    high_water timestamp with time zone NOT NULL,
    CONSTRAINT licence_clock_singleton_check CHECK (singleton)
);

CREATE TABLE public.licence_notices (
    licence_id uuid NOT NULL,
    kind text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT licence_notices_kind_check CHECK ((kind = ANY (ARRAY['30'::text, '14'::text, '7'::text, '1'::text, 'expired'::text, 'revoked'::text])))
);

COMMENT ON TABLE public.licence_notices IS 'What people were told and the audit trail was given, once each';

CREATE TABLE public.licence_revocation_bundle (
    singleton boolean DEFAULT true NOT NULL,
    raw_jwt text,
    issued_at timestamp with time zone,
    expires_at timestamp with time zone,
    fetched_at timestamp with time zone,
    attempted_at timestamp with time zone NOT NULL,
    last_error text,
    CONSTRAINT licence_revocation_bundle_singleton_check CHECK (singleton)
);

COMMENT ON COLUMN public.licence_revocation_bundle.raw_jwt IS 'The last good bundle; null until one was fetched';

CREATE TABLE public.link_confirmations (
    id uuid NOT NULL,
    token_hash bytea NOT NULL,
    org_id uuid NOT NULL,
    user_id uuid NOT NULL,
    provider text NOT NULL,
    provider_id uuid NOT NULL,
    subject text NOT NULL,
    name text NOT NULL,
    roles text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT link_confirmations_provider_check CHECK ((provider = ANY (ARRAY['ldap'::text, 'oidc'::text, 'saml'::text]))),
    CONSTRAINT link_confirmations_roles_check CHECK ((roles <@ ARRAY['org_admin'::text, 'engineer'::text, 'read_only'::text])),
    CONSTRAINT link_confirmations_subject_check CHECK (((octet_length(subject) >= 1) AND (octet_length(subject) <= 2000))),
    CONSTRAINT link_confirmations_token_hash_check CHECK ((octet_length(token_hash) = 32))
);

COMMENT ON TABLE public.link_confirmations IS 'A sign-in through a provider met an account with its address: that account''s own sign-in must confirm with the token before they are linked';

CREATE TABLE public.mail_outbox (
    id uuid NOT NULL,
    org_id uuid,
    kind text NOT NULL,
    sealed bytea,
    state text DEFAULT 'queued'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    last_error text,
    created_at timestamp with time zone NOT NULL,
    next_attempt_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT mail_outbox_attempts_check CHECK ((attempts >= 0)),
    CONSTRAINT mail_outbox_check CHECK ((((state = 'sent'::text) = (sealed IS NULL)) OR (state = 'expired'::text))),
    CONSTRAINT mail_outbox_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'sent'::text, 'refused'::text, 'expired'::text])))
);

COMMENT ON COLUMN public.mail_outbox.sealed IS 'Address, subject, text and link, sealed with the install key under mail:<id>; null once it is no longer needed';

CREATE TABLE public.membership_changes (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    user_id uuid NOT NULL,
    actor_id uuid,
    change text NOT NULL,
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    reason text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT membership_changes_reason_check CHECK ((char_length(reason) <= 500))
);

CREATE TABLE public.memberships (
    org_id uuid NOT NULL,
    user_id uuid NOT NULL,
    roles text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    state text DEFAULT 'active'::text NOT NULL,
    roles_from text DEFAULT 'people'::text NOT NULL,
    invited_by uuid,
    state_changed_at timestamp with time zone,
    CONSTRAINT memberships_roles_check CHECK ((roles <@ ARRAY['super_admin'::text, 'org_admin'::text, 'engineer'::text, 'read_only'::text])),
    CONSTRAINT memberships_roles_from_check CHECK ((roles_from = ANY (ARRAY['people'::text, 'provider'::text]))),
    CONSTRAINT memberships_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'active'::text, 'deactivated'::text, 'removed'::text])))
);

COMMENT ON COLUMN public.memberships.state IS 'Only active members have rights; pending ones see the waiting page; the rows of removed ones stay, because history stays attributed. Somebody who is invited has an invitation, no membership';

COMMENT ON COLUMN public.memberships.roles_from IS 'provider: the group map of a directory or identity provider decides at every sign-in; people: an administrator or invitation did';

CREATE TABLE public.metric_late (
    host_id uuid NOT NULL,
    slot timestamp with time zone NOT NULL
);

CREATE TABLE public.metric_progress (
    singleton boolean DEFAULT true NOT NULL,
    storage text DEFAULT 'partitions'::text NOT NULL,
    closed_until timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    minutes_until timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    hours_until timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    days_until timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    CONSTRAINT metric_progress_singleton_check CHECK (singleton),
    CONSTRAINT metric_progress_storage_check CHECK ((storage = ANY (ARRAY['partitions'::text, 'hypertables'::text, 'continuous'::text])))
);

COMMENT ON COLUMN public.metric_progress.storage IS 'partitions: plain PostgreSQL; hypertables: TimescaleDB under the Apache licence; continuous: with continuous aggregates';

COMMENT ON COLUMN public.metric_progress.closed_until IS 'A sample from before this moment is noted in metric_late by whoever writes it';

COMMENT ON COLUMN public.metric_progress.minutes_until IS 'Aggregates of one minute exist up to here; hours_until and days_until likewise';

CREATE TABLE public.metric_retention (
    org_id uuid NOT NULL,
    days integer NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT metric_retention_days_check CHECK (((days >= 1) AND (days <= 365)))
);

COMMENT ON TABLE public.metric_retention IS 'Days of metrics an organisation keeps; 30 without a row';

CREATE TABLE public.metric_samples (
    host_id uuid NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    cpu_centi smallint,
    memory_centi smallint,
    disk_centi smallint,
    uptime_seconds bigint,
    swap_centi smallint,
    load1_centi integer,
    load5_centi integer,
    load15_centi integer,
    process_count integer
)
PARTITION BY RANGE (recorded_at);

COMMENT ON TABLE public.metric_samples IS 'One row per scheduled heartbeat; day partitions are made by the server ahead of time';

COMMENT ON COLUMN public.metric_samples.received_at IS 'Arrival, in the key so that two reports of one second (a clock set back) are two rows and a replayed one is not';

CREATE TABLE public.metric_samples_1d (
    host_id uuid NOT NULL,
    bucket timestamp with time zone NOT NULL,
    samples integer NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    cpu_centi_count integer,
    cpu_centi_sum bigint,
    cpu_centi_min smallint,
    cpu_centi_max smallint,
    memory_centi_count integer,
    memory_centi_sum bigint,
    memory_centi_min smallint,
    memory_centi_max smallint,
    disk_centi_count integer,
    disk_centi_sum bigint,
    disk_centi_min smallint,
    disk_centi_max smallint,
    swap_centi_count integer,
    swap_centi_sum bigint,
    swap_centi_min smallint,
    swap_centi_max smallint,
    load1_centi_count integer,
    load1_centi_sum bigint,
    load1_centi_min integer,
    load1_centi_max integer,
    load5_centi_count integer,
    load5_centi_sum bigint,
    load5_centi_min integer,
    load5_centi_max integer,
    load15_centi_count integer,
    load15_centi_sum bigint,
    load15_centi_min integer,
    load15_centi_max integer,
    process_count_count integer,
    process_count_sum bigint,
    process_count_min integer,
    process_count_max integer
);

CREATE TABLE public.metric_samples_1h (
    host_id uuid NOT NULL,
    bucket timestamp with time zone NOT NULL,
    samples integer NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    cpu_centi_count integer,
    cpu_centi_sum bigint,
    cpu_centi_min smallint,
    cpu_centi_max smallint,
    memory_centi_count integer,
    memory_centi_sum bigint,
    memory_centi_min smallint,
    memory_centi_max smallint,
    disk_centi_count integer,
    disk_centi_sum bigint,
    disk_centi_min smallint,
    disk_centi_max smallint,
    swap_centi_count integer,
    swap_centi_sum bigint,
    swap_centi_min smallint,
    swap_centi_max smallint,
    load1_centi_count integer,
    load1_centi_sum bigint,
    load1_centi_min integer,
    load1_centi_max integer,
    load5_centi_count integer,
    load5_centi_sum bigint,
    load5_centi_min integer,
    load5_centi_max integer,
    load15_centi_count integer,
    load15_centi_sum bigint,
    load15_centi_min integer,
    load15_centi_max integer,
    process_count_count integer,
    process_count_sum bigint,
    process_count_min integer,
    process_count_max integer
)
PARTITION BY RANGE (bucket);

CREATE TABLE public.metric_samples_1h_default (
    host_id uuid NOT NULL,
    bucket timestamp with time zone NOT NULL,
    samples integer NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    cpu_centi_count integer,
    cpu_centi_sum bigint,
    cpu_centi_min smallint,
    cpu_centi_max smallint,
    memory_centi_count integer,
    memory_centi_sum bigint,
    memory_centi_min smallint,
    memory_centi_max smallint,
    disk_centi_count integer,
    disk_centi_sum bigint,
    disk_centi_min smallint,
    disk_centi_max smallint,
    swap_centi_count integer,
    swap_centi_sum bigint,
    swap_centi_min smallint,
    swap_centi_max smallint,
    load1_centi_count integer,
    load1_centi_sum bigint,
    load1_centi_min integer,
    load1_centi_max integer,
    load5_centi_count integer,
    load5_centi_sum bigint,
    load5_centi_min integer,
    load5_centi_max integer,
    load15_centi_count integer,
    load15_centi_sum bigint,
    load15_centi_min integer,
    load15_centi_max integer,
    process_count_count integer,
    process_count_sum bigint,
    process_count_min integer,
    process_count_max integer
);

CREATE TABLE public.metric_samples_1m (
    host_id uuid NOT NULL,
    bucket timestamp with time zone NOT NULL,
    samples integer NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    cpu_centi_count integer,
    cpu_centi_sum bigint,
    cpu_centi_min smallint,
    cpu_centi_max smallint,
    memory_centi_count integer,
    memory_centi_sum bigint,
    memory_centi_min smallint,
    memory_centi_max smallint,
    disk_centi_count integer,
    disk_centi_sum bigint,
    disk_centi_min smallint,
    disk_centi_max smallint,
    swap_centi_count integer,
    swap_centi_sum bigint,
    swap_centi_min smallint,
    swap_centi_max smallint,
    load1_centi_count integer,
    load1_centi_sum bigint,
    load1_centi_min integer,
    load1_centi_max integer,
    load5_centi_count integer,
    load5_centi_sum bigint,
    load5_centi_min integer,
    load5_centi_max integer,
    load15_centi_count integer,
    load15_centi_sum bigint,
    load15_centi_min integer,
    load15_centi_max integer,
    process_count_count integer,
    process_count_sum bigint,
    process_count_min integer,
    process_count_max integer
)
PARTITION BY RANGE (bucket);

CREATE TABLE public.metric_samples_1m_default (
    host_id uuid NOT NULL,
    bucket timestamp with time zone NOT NULL,
    samples integer NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    cpu_centi_count integer,
    cpu_centi_sum bigint,
    cpu_centi_min smallint,
    cpu_centi_max smallint,
    memory_centi_count integer,
    memory_centi_sum bigint,
    memory_centi_min smallint,
    memory_centi_max smallint,
    disk_centi_count integer,
    disk_centi_sum bigint,
    disk_centi_min smallint,
    disk_centi_max smallint,
    swap_centi_count integer,
    swap_centi_sum bigint,
    swap_centi_min smallint,
    swap_centi_max smallint,
    load1_centi_count integer,
    load1_centi_sum bigint,
    load1_centi_min integer,
    load1_centi_max integer,
    load5_centi_count integer,
    load5_centi_sum bigint,
    load5_centi_min integer,
    load5_centi_max integer,
    load15_centi_count integer,
    load15_centi_sum bigint,
    load15_centi_min integer,
    load15_centi_max integer,
    process_count_count integer,
    process_count_sum bigint,
    process_count_min integer,
    process_count_max integer
);

CREATE TABLE public.metric_samples_default (
    host_id uuid NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    cpu_centi smallint,
    memory_centi smallint,
    disk_centi smallint,
    uptime_seconds bigint,
    swap_centi smallint,
    load1_centi integer,
    load5_centi integer,
    load15_centi integer,
    process_count integer
);

CREATE TABLE public.metric_storage (
    resolution text NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    oldest_at timestamp with time zone,
    measured_at timestamp with time zone NOT NULL,
    CONSTRAINT metric_storage_resolution_check CHECK ((resolution = ANY (ARRAY['raw'::text, '1m'::text, '1h'::text, '1d'::text])))
);

CREATE TABLE public.organisation_licences (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    key_sealed bytea NOT NULL,
    verifier_pem text NOT NULL,
    verifier_fingerprint text NOT NULL,
    seal bytea NOT NULL,
    jti text NOT NULL,
    tier text NOT NULL,
    features text[] NOT NULL,
    max_hosts bigint,
    customer_name text NOT NULL,
    customer_email text NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    activated_by uuid,
    activated_at timestamp with time zone NOT NULL,
    replaced_at timestamp with time zone,
    replaced_by uuid,
    CONSTRAINT organisation_licences_max_hosts_check CHECK ((max_hosts > 0)),
    CONSTRAINT organisation_licences_tier_check CHECK ((tier = ANY (ARRAY['pro'::text, 'enterprise'::text]))),
    CONSTRAINT organisation_licences_verifier_fingerprint_check CHECK ((verifier_fingerprint ~ '^[0-9a-f]{64}$'::text))
);

COMMENT ON COLUMN public.organisation_licences.seal IS 'Made with the install key over what the row says; a row edited in the database counts as no licence';

CREATE TABLE public.organisations (
    id uuid NOT NULL,
    name text NOT NULL,
    reenrolment_policy text DEFAULT 'adopt'::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    slug text DEFAULT ('org-'::text || replace((gen_random_uuid())::text, '-'::text, ''::text)) NOT NULL,
    time_zone text DEFAULT 'UTC'::text NOT NULL,
    logo bytea,
    logo_type text,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    CONSTRAINT organisations_logo_check CHECK ((octet_length(logo) <= 65536)),
    CONSTRAINT organisations_logo_has_type CHECK (((logo IS NULL) = (logo_type IS NULL))),
    CONSTRAINT organisations_logo_type_check CHECK ((logo_type = ANY (ARRAY['image/png'::text, 'image/jpeg'::text, 'image/webp'::text]))),
    CONSTRAINT organisations_name_check CHECK (((char_length(name) >= 2) AND (char_length(name) <= 100))),
    CONSTRAINT organisations_reenrolment_policy_check CHECK ((reenrolment_policy = ANY (ARRAY['adopt'::text, 'adopt_after_approval'::text, 'refuse'::text]))),
    CONSTRAINT organisations_slug_check CHECK ((slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'::text)),
    CONSTRAINT organisations_time_zone_check CHECK (((char_length(time_zone) >= 1) AND (char_length(time_zone) <= 64)))
);

COMMENT ON COLUMN public.organisations.deleted_at IS 'Soft: no session, invitation or token of a deleted organisation works; it can be restored for 30 days';

CREATE TABLE public.passkey_ceremonies (
    token_hash bytea NOT NULL,
    purpose text NOT NULL,
    user_id uuid,
    state_sealed bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT passkey_ceremonies_purpose_check CHECK ((purpose = ANY (ARRAY['register'::text, 'sign_in'::text, 'second_step'::text, 'confirm'::text]))),
    CONSTRAINT passkey_ceremonies_token_hash_check CHECK ((octet_length(token_hash) = 32))
);

COMMENT ON TABLE public.passkey_ceremonies IS 'A challenge that was given out; deleted by the first answer, right or wrong';

CREATE TABLE public.passkeys (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    credential_id bytea NOT NULL,
    name text NOT NULL,
    credential jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone,
    CONSTRAINT passkeys_credential_id_check CHECK (((octet_length(credential_id) >= 1) AND (octet_length(credential_id) <= 1023))),
    CONSTRAINT passkeys_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 100)))
);

CREATE TABLE public.password_resets (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    org_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT password_resets_token_hash_check CHECK ((octet_length(token_hash) = 32))
);

CREATE TABLE public.pending_sign_ins (
    id uuid NOT NULL,
    token_hash bytea NOT NULL,
    user_id uuid NOT NULL,
    org_id uuid NOT NULL,
    method text NOT NULL,
    replaces uuid,
    failures integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT pending_sign_ins_method_check CHECK ((method = ANY (ARRAY['password'::text, 'ldap'::text, 'oidc'::text, 'saml'::text]))),
    CONSTRAINT pending_sign_ins_token_hash_check CHECK ((octet_length(token_hash) = 32))
);

COMMENT ON TABLE public.pending_sign_ins IS 'The first factor was right; a second one is waited for, 10 minutes and 5 wrong codes at most';

CREATE TABLE public.recovery_codes (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    hash_sealed bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone
);

COMMENT ON COLUMN public.recovery_codes.hash_sealed IS 'SHA-256 of the code, sealed with the install key: a code has 50 bits, too few for a bare hash';

CREATE TABLE public.registrations (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    password_hash text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT registrations_email_check CHECK (((char_length(email) >= 3) AND (char_length(email) <= 254))),
    CONSTRAINT registrations_name_check CHECK (((char_length(name) >= 2) AND (char_length(name) <= 100)))
);

COMMENT ON COLUMN public.registrations.email IS 'Folded. The row is also there when an account has the address, so that answers are the same';

CREATE TABLE public.revoked_certificates (
    serial text NOT NULL,
    reason text NOT NULL,
    revoked_at timestamp with time zone NOT NULL,
    not_after timestamp with time zone,
    CONSTRAINT revoked_certificates_serial_check CHECK ((serial ~ '^[0-9a-f]+$'::text))
);

CREATE TABLE public.role_assignments (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    role_id uuid NOT NULL,
    user_id uuid,
    team_id uuid,
    assigned_by uuid,
    assigned_at timestamp with time zone NOT NULL,
    CONSTRAINT role_assignments_one_subject CHECK (((user_id IS NULL) <> (team_id IS NULL)))
);

CREATE TABLE public.saml_assertions (
    provider_id uuid NOT NULL,
    id_hash bytea NOT NULL,
    ticket_hash bytea,
    attempt_id uuid,
    person bytea,
    received_at timestamp with time zone NOT NULL,
    forget_after timestamp with time zone NOT NULL,
    taken_at timestamp with time zone,
    CONSTRAINT saml_assertions_id_hash_check CHECK ((octet_length(id_hash) = 32)),
    CONSTRAINT saml_assertions_ticket_hash_check CHECK ((octet_length(ticket_hash) = 32))
);

COMMENT ON TABLE public.saml_assertions IS 'Assertions that were accepted; none is accepted twice';

COMMENT ON COLUMN public.saml_assertions.person IS 'Sealed with the install key: who was asserted, until the browser comes with the ticket';

CREATE TABLE public.schema_migrations (
    version bigint NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamp with time zone NOT NULL
);

CREATE VIEW public.scope_hosts AS
 SELECT m.group_id AS scope_id,
    m.host_id
   FROM (public.host_group_members m
     JOIN public.host_groups g ON (((g.id = m.group_id) AND (g.deleted_at IS NULL))))
UNION ALL
 SELECT r.id AS scope_id,
    h.id AS host_id
   FROM (public.custom_roles r
     JOIN public.hosts h ON ((h.org_id = r.org_id)))
  WHERE ((EXISTS ( SELECT 1
           FROM public.custom_role_terms t
          WHERE (t.role_id = r.id))) AND (NOT (EXISTS ( SELECT 1
           FROM public.custom_role_terms t
          WHERE ((t.role_id = r.id) AND (t.negated = (EXISTS ( SELECT 1
                   FROM (public.host_group_members m
                     JOIN public.host_groups g ON (((g.id = m.group_id) AND (g.deleted_at IS NULL))))
                  WHERE ((m.host_id = h.id) AND (m.group_id = ANY (t.group_ids)))))))))));

COMMENT ON VIEW public.scope_hosts IS 'Which host is in which set of hosts that can limit what somebody sees; the only place that knows';

CREATE TABLE public.sealed_secrets (
    name text NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.sealed_secrets IS 'Values encrypted with the install key; the associated data of each is its name';

CREATE TABLE public.sessions (
    id uuid NOT NULL,
    token_hash bytea NOT NULL,
    user_id uuid NOT NULL,
    org_id uuid NOT NULL,
    method text NOT NULL,
    ip text NOT NULL,
    user_agent text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    second_factor boolean DEFAULT false NOT NULL,
    confirmed_at timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    CONSTRAINT sessions_method_check CHECK ((method = ANY (ARRAY['password'::text, 'ldap'::text, 'oidc'::text, 'saml'::text, 'passkey'::text]))),
    CONSTRAINT sessions_token_hash_check CHECK ((octet_length(token_hash) = 32))
);

COMMENT ON COLUMN public.sessions.confirmed_at IS 'When the person last proved who they are: at sign-in or when asked again';

CREATE TABLE public.setting_secrets (
    org_id uuid NOT NULL,
    page text NOT NULL,
    name text NOT NULL,
    sealed bytea NOT NULL,
    set_by uuid,
    set_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.setting_secrets IS 'Sealed with the install key; the associated data is setting:<org>:<page>:<name>';

CREATE TABLE public.settings (
    org_id uuid NOT NULL,
    page text NOT NULL,
    version bigint NOT NULL,
    document jsonb NOT NULL,
    updated_by uuid,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT settings_document_check CHECK (((jsonb_typeof(document) = 'object'::text) AND (octet_length((document)::text) <= 262144))),
    CONSTRAINT settings_page_check CHECK ((page ~ '^[a-z][a-z0-9-]{0,39}$'::text)),
    CONSTRAINT settings_version_check CHECK ((version > 0))
);

COMMENT ON TABLE public.settings IS 'Keys that are absent have their default; what a release does not understand is kept, and counts as absent';

CREATE TABLE public.settings_history (
    org_id uuid NOT NULL,
    page text NOT NULL,
    version bigint NOT NULL,
    document jsonb NOT NULL,
    secrets text[] NOT NULL,
    updated_by uuid,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT settings_history_version_check CHECK ((version > 0))
);

COMMENT ON COLUMN public.settings_history.secrets IS 'Names of the secrets that this save set or cleared';

CREATE TABLE public.setup_codes (
    singleton boolean DEFAULT true NOT NULL,
    code_hash bytea NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT setup_codes_singleton_check CHECK (singleton)
);

CREATE TABLE public.sign_in_origins (
    user_id uuid NOT NULL,
    kind text NOT NULL,
    value_hash bytea NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    CONSTRAINT sign_in_origins_kind_check CHECK ((kind = ANY (ARRAY['device'::text, 'network'::text]))),
    CONSTRAINT sign_in_origins_value_hash_check CHECK ((octet_length(value_hash) = 32))
);

COMMENT ON TABLE public.sign_in_origins IS 'Devices and networks somebody signed in from, so that a new one can be told by mail';

CREATE TABLE public.software_hosts (
    host_id uuid NOT NULL,
    last_complete_at timestamp with time zone,
    failures integer DEFAULT 0 NOT NULL,
    last_failure_at timestamp with time zone,
    CONSTRAINT software_hosts_failures_check CHECK ((failures >= 0))
);

COMMENT ON COLUMN public.software_hosts.failures IS 'Scans that ended without success since the last complete one';

CREATE TABLE public.software_packages (
    id bigint NOT NULL,
    org_id uuid NOT NULL,
    host_id uuid NOT NULL,
    source text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    version text NOT NULL COLLATE pg_catalog."C",
    architecture text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    publisher text,
    distro_id text,
    distro_version text,
    distro_codename text,
    source_name text,
    source_version text,
    epoch text,
    release text,
    repository text,
    origin text,
    install_date timestamp with time zone,
    first_seen_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    removed_at timestamp with time zone,
    replaced_by bigint,
    came_scan_id uuid NOT NULL,
    last_scan_id uuid NOT NULL
)
WITH (fillfactor='85');

COMMENT ON COLUMN public.software_packages.replaced_by IS 'The package that came in the scan in which this one went: an upgrade';

COMMENT ON COLUMN public.software_packages.came_scan_id IS 'The scan in which it was first seen, or seen again after it had gone';

ALTER TABLE public.software_packages ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.software_packages_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.software_scans (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    host_id uuid NOT NULL,
    run_id uuid,
    origin text NOT NULL,
    status text NOT NULL,
    upload_id uuid,
    error text,
    sources jsonb DEFAULT '[]'::jsonb NOT NULL,
    package_count integer DEFAULT 0 NOT NULL,
    added integer DEFAULT 0 NOT NULL,
    removed integer DEFAULT 0 NOT NULL,
    unchanged integer DEFAULT 0 NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    completed_at timestamp with time zone,
    CONSTRAINT software_scans_origin_check CHECK ((origin = ANY (ARRAY['user'::text, 'schedule'::text, 'task'::text]))),
    CONSTRAINT software_scans_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'success'::text, 'partial'::text, 'failed'::text])))
);

COMMENT ON COLUMN public.software_scans.id IS 'The host''s row in its task run: the scan id on the wire';

COMMENT ON COLUMN public.software_scans.upload_id IS 'The stream that may finish the scan; a newer stream of the same scan replaces it';

CREATE TABLE public.software_settings (
    org_id uuid NOT NULL,
    enabled boolean DEFAULT false NOT NULL,
    interval_hours integer DEFAULT 24 NOT NULL,
    include_snap boolean DEFAULT false NOT NULL,
    include_flatpak boolean DEFAULT false NOT NULL,
    include_windows_store boolean DEFAULT false NOT NULL,
    include_language_managers boolean DEFAULT false NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT software_settings_interval_hours_check CHECK (((interval_hours >= 1) AND (interval_hours <= 720)))
);

COMMENT ON TABLE public.software_settings IS 'No row means the defaults: no automatic scans';

CREATE UNLOGGED TABLE public.software_staged_packages (
    upload_id uuid NOT NULL,
    staged_at timestamp with time zone NOT NULL,
    source text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    version text NOT NULL COLLATE pg_catalog."C",
    architecture text NOT NULL COLLATE pg_catalog."C",
    publisher text,
    distro_id text,
    distro_version text,
    distro_codename text,
    source_name text,
    source_version text,
    epoch text,
    release text,
    repository text,
    origin text,
    install_date timestamp with time zone
);

CREATE TABLE public.sso_attempts (
    id uuid NOT NULL,
    provider_id uuid NOT NULL,
    state_hash bytea NOT NULL,
    browser_hash bytea NOT NULL,
    confirm_user_id uuid,
    return_to text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT sso_attempts_browser_hash_check CHECK ((octet_length(browser_hash) = 32)),
    CONSTRAINT sso_attempts_return_to_check CHECK (((char_length(return_to) >= 1) AND (char_length(return_to) <= 256))),
    CONSTRAINT sso_attempts_state_hash_check CHECK ((octet_length(state_hash) = 32))
);

COMMENT ON TABLE public.sso_attempts IS 'A browser on its way to an identity provider and back: used once, and by the browser that began it only';

COMMENT ON COLUMN public.sso_attempts.state_hash IS 'SHA-256 of the state (OpenID Connect) or request id (SAML)';

COMMENT ON COLUMN public.sso_attempts.browser_hash IS 'SHA-256 of the cookie of the browser';

CREATE TABLE public.task_output (
    task_id uuid NOT NULL,
    seq bigint NOT NULL,
    chunk text NOT NULL
);

COMMENT ON TABLE public.task_output IS 'Output of tasks as it arrived; task_targets.output_bytes bounds it';

ALTER TABLE public.task_output ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.task_output_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.task_runs (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    kind text NOT NULL,
    config_json text DEFAULT '{}'::text NOT NULL,
    max_parallel integer DEFAULT 0 NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    created_by uuid,
    created_at timestamp with time zone NOT NULL,
    start_by timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    completed_at timestamp with time zone,
    CONSTRAINT task_runs_kind_check CHECK (((char_length(kind) >= 1) AND (char_length(kind) <= 64))),
    CONSTRAINT task_runs_max_parallel_check CHECK (((max_parallel >= 0) AND (max_parallel <= 100))),
    CONSTRAINT task_runs_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'cancelling'::text, 'cancelled'::text, 'completed'::text, 'failed'::text])))
);

COMMENT ON COLUMN public.task_runs.max_parallel IS 'Targets running at a time; 0 means all';

COMMENT ON COLUMN public.task_runs.start_by IS 'Targets that could not be sent until then are skipped';

CREATE TABLE public.task_targets (
    id uuid NOT NULL,
    run_id uuid NOT NULL,
    org_id uuid NOT NULL,
    host_id uuid NOT NULL,
    "position" integer NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    skip_reason text,
    exit_code integer,
    result_json text,
    error text DEFAULT ''::text NOT NULL,
    output_bytes bigint DEFAULT 0 NOT NULL,
    started_at timestamp with time zone,
    cancel_requested_at timestamp with time zone,
    completed_at timestamp with time zone,
    CONSTRAINT task_targets_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'cancelling'::text, 'cancelled'::text, 'success'::text, 'failed'::text, 'skipped'::text])))
);

CREATE TABLE public.team_host_groups (
    team_id uuid NOT NULL,
    group_id uuid NOT NULL,
    added_by uuid,
    added_at timestamp with time zone NOT NULL
);

CREATE TABLE public.team_members (
    team_id uuid NOT NULL,
    user_id uuid NOT NULL,
    added_by uuid,
    added_at timestamp with time zone NOT NULL
);

CREATE TABLE public.teams (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    scoping boolean DEFAULT false NOT NULL,
    lead_id uuid,
    default_channel_id uuid,
    created_by uuid,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT teams_description_check CHECK ((char_length(description) <= 1000)),
    CONSTRAINT teams_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 100)))
);

COMMENT ON COLUMN public.teams.scoping IS 'The host groups of the team are then access scope of its engineer and read_only members';

CREATE TABLE public.throttles (
    scope text NOT NULL,
    key text NOT NULL,
    hits integer NOT NULL,
    window_started_at timestamp with time zone NOT NULL,
    lock_level integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    CONSTRAINT throttles_hits_check CHECK ((hits >= 0)),
    CONSTRAINT throttles_lock_level_check CHECK ((lock_level >= 0))
);

CREATE TABLE public.totp_seeds (
    user_id uuid NOT NULL,
    seed_sealed bytea NOT NULL,
    last_step bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    enrolled_at timestamp with time zone
);

COMMENT ON COLUMN public.totp_seeds.last_step IS 'Step (30 s since 1970) of the last accepted code; this one and earlier ones are refused';

COMMENT ON COLUMN public.totp_seeds.enrolled_at IS 'Empty until the first valid code proved that the app has the seed';

CREATE TABLE public.user_host_scopes (
    user_id uuid NOT NULL,
    group_id uuid NOT NULL
);

COMMENT ON TABLE public.user_host_scopes IS 'Somebody without a row here and without a scoping team sees the whole organisation';

CREATE TABLE public.user_preferences (
    user_id uuid NOT NULL,
    document jsonb NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT user_preferences_document_check CHECK (((jsonb_typeof(document) = 'object'::text) AND (octet_length((document)::text) <= 65536)))
);

CREATE TABLE public.users (
    id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    password_hash text,
    email_verified_at timestamp with time zone,
    active boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    kind text DEFAULT 'person'::text NOT NULL,
    CONSTRAINT users_email_check CHECK (((char_length(email) >= 3) AND (char_length(email) <= 254))),
    CONSTRAINT users_kind_check CHECK ((kind = ANY (ARRAY['person'::text, 'service'::text]))),
    CONSTRAINT users_name_check CHECK (((char_length(name) >= 2) AND (char_length(name) <= 100)))
);

COMMENT ON COLUMN public.users.kind IS 'A service account stands behind an API key of an organisation: it never signs in and is in no list of people';

ALTER TABLE ONLY public.audit_events ATTACH PARTITION public.audit_events_default DEFAULT;

ALTER TABLE ONLY public.container_samples ATTACH PARTITION public.container_samples_default DEFAULT;

ALTER TABLE ONLY public.host_disk_samples_1h ATTACH PARTITION public.host_disk_samples_1h_default DEFAULT;

ALTER TABLE ONLY public.host_disk_samples_1m ATTACH PARTITION public.host_disk_samples_1m_default DEFAULT;

ALTER TABLE ONLY public.host_disk_samples ATTACH PARTITION public.host_disk_samples_default DEFAULT;

ALTER TABLE ONLY public.host_network_samples_1h ATTACH PARTITION public.host_network_samples_1h_default DEFAULT;

ALTER TABLE ONLY public.host_network_samples_1m ATTACH PARTITION public.host_network_samples_1m_default DEFAULT;

ALTER TABLE ONLY public.host_network_samples ATTACH PARTITION public.host_network_samples_default DEFAULT;

ALTER TABLE ONLY public.metric_samples_1h ATTACH PARTITION public.metric_samples_1h_default DEFAULT;

ALTER TABLE ONLY public.metric_samples_1m ATTACH PARTITION public.metric_samples_1m_default DEFAULT;

ALTER TABLE ONLY public.metric_samples ATTACH PARTITION public.metric_samples_default DEFAULT;

ALTER TABLE ONLY public.activation_tokens
    ADD CONSTRAINT activation_tokens_pkey PRIMARY KEY (nonce);

ALTER TABLE ONLY public.address_links
    ADD CONSTRAINT address_links_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.address_links
    ADD CONSTRAINT address_links_token_hash_key UNIQUE (token_hash);

ALTER TABLE ONLY public.agent_certificates
    ADD CONSTRAINT agent_certificates_pkey PRIMARY KEY (serial);

ALTER TABLE ONLY public.agent_enrolment_tokens
    ADD CONSTRAINT agent_enrolment_tokens_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.agent_enrolment_tokens
    ADD CONSTRAINT agent_enrolment_tokens_token_hash_key UNIQUE (token_hash);

ALTER TABLE ONLY public.agent_leases
    ADD CONSTRAINT agent_leases_host_id_key UNIQUE (host_id);

ALTER TABLE ONLY public.agent_leases
    ADD CONSTRAINT agent_leases_pkey PRIMARY KEY (agent_id);

ALTER TABLE ONLY public.agent_queries
    ADD CONSTRAINT agent_queries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.agent_releases
    ADD CONSTRAINT agent_releases_channel_version_rank_key UNIQUE (channel, version_rank);

ALTER TABLE ONLY public.agent_releases
    ADD CONSTRAINT agent_releases_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.agent_rollout_members
    ADD CONSTRAINT agent_rollout_members_pkey PRIMARY KEY (rollout_id, agent_id);

ALTER TABLE ONLY public.agent_rollouts
    ADD CONSTRAINT agent_rollouts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.agent_status_history
    ADD CONSTRAINT agent_status_history_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.agent_update_settings
    ADD CONSTRAINT agent_update_settings_pkey PRIMARY KEY (org_id);

ALTER TABLE ONLY public.agent_updates
    ADD CONSTRAINT agent_updates_pkey PRIMARY KEY (agent_id);

ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_client_cert_serial_key UNIQUE (client_cert_serial);

ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_host_id_key UNIQUE (host_id);

ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_secret_hash_key UNIQUE (secret_hash);

ALTER TABLE ONLY public.audit_chain
    ADD CONSTRAINT audit_chain_pkey PRIMARY KEY (chain_id, seq);

ALTER TABLE ONLY public.audit_checkpoints
    ADD CONSTRAINT audit_checkpoints_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.audit_denied
    ADD CONSTRAINT audit_denied_pkey PRIMARY KEY (org_id, actor_id, operation, target, minute);

ALTER TABLE ONLY public.audit_events
    ADD CONSTRAINT audit_events_pkey PRIMARY KEY (id, at);

ALTER TABLE ONLY public.audit_events_default
    ADD CONSTRAINT audit_events_default_pkey PRIMARY KEY (id, at);

ALTER TABLE ONLY public.audit_exports
    ADD CONSTRAINT audit_exports_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.audit_forwarders
    ADD CONSTRAINT audit_forwarders_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.audit_holds
    ADD CONSTRAINT audit_holds_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.audit_settings
    ADD CONSTRAINT audit_settings_pkey PRIMARY KEY (org_id);

ALTER TABLE ONLY public.certificate_authorities
    ADD CONSTRAINT certificate_authorities_fingerprint_sha256_key UNIQUE (fingerprint_sha256);

ALTER TABLE ONLY public.certificate_authorities
    ADD CONSTRAINT certificate_authorities_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.check_results
    ADD CONSTRAINT check_results_pkey PRIMARY KEY (check_id, ran_at);

ALTER TABLE ONLY public.checks
    ADD CONSTRAINT checks_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.consumer_offsets
    ADD CONSTRAINT consumer_offsets_pkey PRIMARY KEY (group_name, topic, partition);

ALTER TABLE ONLY public.container_batches
    ADD CONSTRAINT container_batches_pkey PRIMARY KEY (host_id, batch_id);

ALTER TABLE ONLY public.container_events
    ADD CONSTRAINT container_events_container_id_kind_occurred_at_key UNIQUE (container_id, kind, occurred_at);

ALTER TABLE ONLY public.container_events
    ADD CONSTRAINT container_events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.container_host_settings
    ADD CONSTRAINT container_host_settings_pkey PRIMARY KEY (host_id);

ALTER TABLE ONLY public.container_runtimes
    ADD CONSTRAINT container_runtimes_pkey PRIMARY KEY (host_id, runtime);

ALTER TABLE ONLY public.container_samples
    ADD CONSTRAINT container_samples_pkey PRIMARY KEY (container_id, recorded_at);

ALTER TABLE ONLY public.container_samples_default
    ADD CONSTRAINT container_samples_default_pkey PRIMARY KEY (container_id, recorded_at);

ALTER TABLE ONLY public.container_settings
    ADD CONSTRAINT container_settings_pkey PRIMARY KEY (org_id);

ALTER TABLE ONLY public.containers
    ADD CONSTRAINT containers_host_id_runtime_container_id_key UNIQUE (host_id, runtime, container_id);

ALTER TABLE ONLY public.containers
    ADD CONSTRAINT containers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.custom_role_terms
    ADD CONSTRAINT custom_role_terms_pkey PRIMARY KEY (role_id, "position");

ALTER TABLE ONLY public.custom_roles
    ADD CONSTRAINT custom_roles_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_group_name_topic_partition_log_id_offset_key UNIQUE (group_name, topic, partition, log_id, "offset");

ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.egress_settings
    ADD CONSTRAINT egress_settings_pkey PRIMARY KEY (org_id);

ALTER TABLE ONLY public.egress_targets
    ADD CONSTRAINT egress_targets_pkey PRIMARY KEY (org_id, target);

ALTER TABLE ONLY public.external_identities
    ADD CONSTRAINT external_identities_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.feature_flags
    ADD CONSTRAINT feature_flags_pkey PRIMARY KEY (org_id, key);

ALTER TABLE ONLY public.host_defaults
    ADD CONSTRAINT host_defaults_pkey PRIMARY KEY (org_id);

ALTER TABLE ONLY public.host_disk_samples_1d
    ADD CONSTRAINT host_disk_samples_1d_pkey PRIMARY KEY (host_id, bucket, mount_point);

ALTER TABLE ONLY public.host_disk_samples_1h
    ADD CONSTRAINT host_disk_samples_1h_pkey PRIMARY KEY (host_id, bucket, mount_point);

ALTER TABLE ONLY public.host_disk_samples_1h_default
    ADD CONSTRAINT host_disk_samples_1h_default_pkey PRIMARY KEY (host_id, bucket, mount_point);

ALTER TABLE ONLY public.host_disk_samples_1m
    ADD CONSTRAINT host_disk_samples_1m_pkey PRIMARY KEY (host_id, bucket, mount_point);

ALTER TABLE ONLY public.host_disk_samples_1m_default
    ADD CONSTRAINT host_disk_samples_1m_default_pkey PRIMARY KEY (host_id, bucket, mount_point);

ALTER TABLE ONLY public.host_disk_samples
    ADD CONSTRAINT host_disk_samples_pkey PRIMARY KEY (host_id, recorded_at, mount_point);

ALTER TABLE ONLY public.host_disk_samples_default
    ADD CONSTRAINT host_disk_samples_default_pkey PRIMARY KEY (host_id, recorded_at, mount_point);

ALTER TABLE ONLY public.host_group_members
    ADD CONSTRAINT host_group_members_pkey PRIMARY KEY (group_id, host_id);

ALTER TABLE ONLY public.host_groups
    ADD CONSTRAINT host_groups_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.host_network_samples_1d
    ADD CONSTRAINT host_network_samples_1d_pkey PRIMARY KEY (host_id, bucket, interface);

ALTER TABLE ONLY public.host_network_samples_1h
    ADD CONSTRAINT host_network_samples_1h_pkey PRIMARY KEY (host_id, bucket, interface);

ALTER TABLE ONLY public.host_network_samples_1h_default
    ADD CONSTRAINT host_network_samples_1h_default_pkey PRIMARY KEY (host_id, bucket, interface);

ALTER TABLE ONLY public.host_network_samples_1m
    ADD CONSTRAINT host_network_samples_1m_pkey PRIMARY KEY (host_id, bucket, interface);

ALTER TABLE ONLY public.host_network_samples_1m_default
    ADD CONSTRAINT host_network_samples_1m_default_pkey PRIMARY KEY (host_id, bucket, interface);

ALTER TABLE ONLY public.host_network_samples
    ADD CONSTRAINT host_network_samples_pkey PRIMARY KEY (host_id, recorded_at, interface);

ALTER TABLE ONLY public.host_network_samples_default
    ADD CONSTRAINT host_network_samples_default_pkey PRIMARY KEY (host_id, recorded_at, interface);

ALTER TABLE ONLY public.host_ssh_keys
    ADD CONSTRAINT host_ssh_keys_pkey PRIMARY KEY (host_id);

ALTER TABLE ONLY public.host_vitals
    ADD CONSTRAINT host_vitals_pkey PRIMARY KEY (host_id);

ALTER TABLE ONLY public.hosts
    ADD CONSTRAINT hosts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.identity_providers
    ADD CONSTRAINT identity_providers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.ingest_nodes
    ADD CONSTRAINT ingest_nodes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_token_hash_key UNIQUE (token_hash);

ALTER TABLE ONLY public.job_runs
    ADD CONSTRAINT job_runs_pkey PRIMARY KEY (job);

ALTER TABLE ONLY public.ldap_configurations
    ADD CONSTRAINT ldap_configurations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.leader_leases
    ADD CONSTRAINT leader_leases_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.licence_clock
    ADD CONSTRAINT licence_clock_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY public.licence_notices
    ADD CONSTRAINT licence_notices_pkey PRIMARY KEY (licence_id, kind);

ALTER TABLE ONLY public.licence_revocation_bundle
    ADD CONSTRAINT licence_revocation_bundle_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY public.link_confirmations
    ADD CONSTRAINT link_confirmations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.link_confirmations
    ADD CONSTRAINT link_confirmations_token_hash_key UNIQUE (token_hash);

ALTER TABLE ONLY public.mail_outbox
    ADD CONSTRAINT mail_outbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.membership_changes
    ADD CONSTRAINT membership_changes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_pkey PRIMARY KEY (org_id, user_id);

ALTER TABLE ONLY public.metric_late
    ADD CONSTRAINT metric_late_pkey PRIMARY KEY (host_id, slot);

ALTER TABLE ONLY public.metric_progress
    ADD CONSTRAINT metric_progress_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY public.metric_retention
    ADD CONSTRAINT metric_retention_pkey PRIMARY KEY (org_id);

ALTER TABLE ONLY public.metric_samples_1d
    ADD CONSTRAINT metric_samples_1d_pkey PRIMARY KEY (host_id, bucket);

ALTER TABLE ONLY public.metric_samples_1h
    ADD CONSTRAINT metric_samples_1h_pkey PRIMARY KEY (host_id, bucket);

ALTER TABLE ONLY public.metric_samples_1h_default
    ADD CONSTRAINT metric_samples_1h_default_pkey PRIMARY KEY (host_id, bucket);

ALTER TABLE ONLY public.metric_samples_1m
    ADD CONSTRAINT metric_samples_1m_pkey PRIMARY KEY (host_id, bucket);

ALTER TABLE ONLY public.metric_samples_1m_default
    ADD CONSTRAINT metric_samples_1m_default_pkey PRIMARY KEY (host_id, bucket);

ALTER TABLE ONLY public.metric_samples
    ADD CONSTRAINT metric_samples_pkey PRIMARY KEY (host_id, recorded_at, received_at);

ALTER TABLE ONLY public.metric_samples_default
    ADD CONSTRAINT metric_samples_default_pkey PRIMARY KEY (host_id, recorded_at, received_at);

ALTER TABLE ONLY public.metric_storage
    ADD CONSTRAINT metric_storage_pkey PRIMARY KEY (resolution);

ALTER TABLE ONLY public.organisation_licences
    ADD CONSTRAINT organisation_licences_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.organisations
    ADD CONSTRAINT organisations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.passkey_ceremonies
    ADD CONSTRAINT passkey_ceremonies_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY public.passkeys
    ADD CONSTRAINT passkeys_credential_id_key UNIQUE (credential_id);

ALTER TABLE ONLY public.passkeys
    ADD CONSTRAINT passkeys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.password_resets
    ADD CONSTRAINT password_resets_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.password_resets
    ADD CONSTRAINT password_resets_token_hash_key UNIQUE (token_hash);

ALTER TABLE ONLY public.pending_sign_ins
    ADD CONSTRAINT pending_sign_ins_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.pending_sign_ins
    ADD CONSTRAINT pending_sign_ins_token_hash_key UNIQUE (token_hash);

ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT recovery_codes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.registrations
    ADD CONSTRAINT registrations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.revoked_certificates
    ADD CONSTRAINT revoked_certificates_pkey PRIMARY KEY (serial);

ALTER TABLE ONLY public.role_assignments
    ADD CONSTRAINT role_assignments_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.saml_assertions
    ADD CONSTRAINT saml_assertions_pkey PRIMARY KEY (provider_id, id_hash);

ALTER TABLE ONLY public.saml_assertions
    ADD CONSTRAINT saml_assertions_ticket_hash_key UNIQUE (ticket_hash);

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.sealed_secrets
    ADD CONSTRAINT sealed_secrets_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_token_hash_key UNIQUE (token_hash);

ALTER TABLE ONLY public.setting_secrets
    ADD CONSTRAINT setting_secrets_pkey PRIMARY KEY (org_id, page, name);

ALTER TABLE ONLY public.settings_history
    ADD CONSTRAINT settings_history_pkey PRIMARY KEY (org_id, page, version);

ALTER TABLE ONLY public.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (org_id, page);

ALTER TABLE ONLY public.setup_codes
    ADD CONSTRAINT setup_codes_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY public.sign_in_origins
    ADD CONSTRAINT sign_in_origins_pkey PRIMARY KEY (user_id, kind, value_hash);

ALTER TABLE ONLY public.software_hosts
    ADD CONSTRAINT software_hosts_pkey PRIMARY KEY (host_id);

ALTER TABLE ONLY public.software_packages
    ADD CONSTRAINT software_packages_host_id_source_name_version_architecture_key UNIQUE (host_id, source, name, version, architecture);

ALTER TABLE ONLY public.software_packages
    ADD CONSTRAINT software_packages_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.software_scans
    ADD CONSTRAINT software_scans_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.software_settings
    ADD CONSTRAINT software_settings_pkey PRIMARY KEY (org_id);

ALTER TABLE ONLY public.sso_attempts
    ADD CONSTRAINT sso_attempts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sso_attempts
    ADD CONSTRAINT sso_attempts_state_hash_key UNIQUE (state_hash);

ALTER TABLE ONLY public.task_output
    ADD CONSTRAINT task_output_pkey PRIMARY KEY (task_id, seq);

ALTER TABLE ONLY public.task_runs
    ADD CONSTRAINT task_runs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.task_targets
    ADD CONSTRAINT task_targets_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.team_host_groups
    ADD CONSTRAINT team_host_groups_pkey PRIMARY KEY (team_id, group_id);

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_pkey PRIMARY KEY (team_id, user_id);

ALTER TABLE ONLY public.teams
    ADD CONSTRAINT teams_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.throttles
    ADD CONSTRAINT throttles_pkey PRIMARY KEY (scope, key);

ALTER TABLE ONLY public.totp_seeds
    ADD CONSTRAINT totp_seeds_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.user_host_scopes
    ADD CONSTRAINT user_host_scopes_pkey PRIMARY KEY (user_id, group_id);

ALTER TABLE ONLY public.user_preferences
    ADD CONSTRAINT user_preferences_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

CREATE INDEX activation_tokens_org_idx ON public.activation_tokens USING btree (org_id, created_at DESC);

CREATE INDEX address_links_expires_idx ON public.address_links USING btree (expires_at);

CREATE INDEX address_links_registration_idx ON public.address_links USING btree (registration_id);

CREATE INDEX address_links_user_idx ON public.address_links USING btree (user_id);

CREATE INDEX agent_certificates_agent_idx ON public.agent_certificates USING btree (agent_id, not_after);

CREATE INDEX agent_enrolment_tokens_org_idx ON public.agent_enrolment_tokens USING btree (org_id, created_at DESC, id);

CREATE INDEX agent_leases_node_idx ON public.agent_leases USING btree (node_id);

CREATE INDEX agent_queries_expires_at_idx ON public.agent_queries USING btree (expires_at);

CREATE INDEX agent_queries_open_idx ON public.agent_queries USING btree (host_id) WHERE (status = 'pending'::text);

CREATE INDEX agent_rollout_members_agent_idx ON public.agent_rollout_members USING btree (agent_id);

CREATE UNIQUE INDEX agent_rollouts_open_key ON public.agent_rollouts USING btree (org_id, channel) WHERE (state = ANY (ARRAY['running'::text, 'halted'::text]));

CREATE INDEX agent_rollouts_org_idx ON public.agent_rollouts USING btree (org_id, began_at DESC);

CREATE INDEX agent_status_history_agent_idx ON public.agent_status_history USING btree (agent_id, at DESC, id DESC);

CREATE INDEX agents_org_idx ON public.agents USING btree (org_id, registered_at DESC, id) WHERE (deleted_at IS NULL);

CREATE INDEX agents_pending_idx ON public.agents USING btree (org_id, registered_at) WHERE ((status = 'pending'::text) AND (deleted_at IS NULL));

CREATE UNIQUE INDEX agents_public_key_key ON public.agents USING btree (public_key_sha256) WHERE (deleted_at IS NULL);

CREATE INDEX api_keys_org_idx ON public.api_keys USING btree (org_id, kind, created_at DESC);

CREATE INDEX api_keys_user_idx ON public.api_keys USING btree (user_id);

CREATE INDEX audit_chain_at_idx ON public.audit_chain USING btree (chain_id, event_at);

CREATE UNIQUE INDEX audit_chain_event_key ON public.audit_chain USING btree (event_id);

CREATE INDEX audit_checkpoints_chain_idx ON public.audit_checkpoints USING btree (chain_id, seq);

CREATE INDEX audit_denied_minute_idx ON public.audit_denied USING btree (minute);

CREATE INDEX audit_events_action_idx ON ONLY public.audit_events USING btree (org_id, action text_pattern_ops, at DESC, id DESC);

CREATE INDEX audit_events_actor_idx ON ONLY public.audit_events USING btree (org_id, actor_id, at DESC, id DESC);

CREATE INDEX audit_events_default_org_id_action_at_id_idx ON public.audit_events_default USING btree (org_id, action text_pattern_ops, at DESC, id DESC);

CREATE INDEX audit_events_default_org_id_actor_id_at_id_idx ON public.audit_events_default USING btree (org_id, actor_id, at DESC, id DESC);

CREATE INDEX audit_events_org_at_idx ON ONLY public.audit_events USING btree (org_id, at DESC, id DESC);

CREATE INDEX audit_events_default_org_id_at_id_idx ON public.audit_events_default USING btree (org_id, at DESC, id DESC);

CREATE INDEX audit_events_target_idx ON ONLY public.audit_events USING btree (org_id, target_type, target_id, at DESC, id DESC);

CREATE INDEX audit_events_default_org_id_target_type_target_id_at_id_idx ON public.audit_events_default USING btree (org_id, target_type, target_id, at DESC, id DESC);

CREATE INDEX audit_events_request_idx ON ONLY public.audit_events USING btree (request_id, at DESC) WHERE (request_id IS NOT NULL);

CREATE INDEX audit_events_default_request_id_at_idx ON public.audit_events_default USING btree (request_id, at DESC) WHERE (request_id IS NOT NULL);

CREATE INDEX audit_exports_org_idx ON public.audit_exports USING btree (org_id, created_at);

CREATE INDEX audit_forwarders_due_idx ON public.audit_forwarders USING btree (next_attempt_at) WHERE enabled;

CREATE INDEX audit_forwarders_org_idx ON public.audit_forwarders USING btree (org_id);

CREATE UNIQUE INDEX audit_holds_active_key ON public.audit_holds USING btree (org_id) WHERE (lifted_at IS NULL);

CREATE UNIQUE INDEX certificate_authorities_active_key ON public.certificate_authorities USING btree (purpose) WHERE (retired_at IS NULL);

CREATE INDEX checks_host_id_idx ON public.checks USING btree (host_id, id);

CREATE INDEX container_batches_received_idx ON public.container_batches USING btree (received_at);

CREATE INDEX container_events_time_idx ON public.container_events USING btree (occurred_at);

CREATE INDEX containers_host_idx ON public.containers USING btree (org_id, host_id, is_present);

CREATE INDEX containers_image_idx ON public.containers USING btree (org_id, image);

CREATE UNIQUE INDEX custom_roles_name_key ON public.custom_roles USING btree (org_id, lower(name));

CREATE INDEX dead_letters_requested ON public.dead_letters USING btree (id) WHERE ((replay_requested_at IS NOT NULL) AND (replayed_at IS NULL));

CREATE UNIQUE INDEX external_identities_subject_key ON public.external_identities USING btree (provider, provider_id, subject);

CREATE INDEX external_identities_user_idx ON public.external_identities USING btree (user_id);

CREATE INDEX host_group_members_host_idx ON public.host_group_members USING btree (host_id, group_id);

CREATE UNIQUE INDEX host_groups_name_key ON public.host_groups USING btree (org_id, lower(name)) WHERE (deleted_at IS NULL);

CREATE INDEX host_vitals_name_idx ON public.host_vitals USING btree (org_id, name_key, host_id);

CREATE INDEX hosts_deleted_idx ON public.hosts USING btree (org_id, deleted_at) WHERE (deleted_at IS NOT NULL);

CREATE UNIQUE INDEX hosts_hostname_key ON public.hosts USING btree (org_id, lower(hostname)) WHERE (deleted_at IS NULL);

CREATE INDEX hosts_identity_ips_idx ON public.hosts USING gin (identity_ips) WHERE (deleted_at IS NULL);

CREATE INDEX hosts_machine_id_idx ON public.hosts USING btree (org_id, machine_id) WHERE ((machine_id IS NOT NULL) AND (deleted_at IS NULL));

CREATE INDEX identity_providers_org_idx ON public.identity_providers USING btree (org_id) WHERE (deleted_at IS NULL);

CREATE UNIQUE INDEX invitations_live_key ON public.invitations USING btree (org_id, lower(email)) WHERE ((accepted_at IS NULL) AND (cancelled_at IS NULL));

CREATE INDEX invitations_org_idx ON public.invitations USING btree (org_id, created_at DESC);

CREATE UNIQUE INDEX ldap_configurations_name_key ON public.ldap_configurations USING btree (org_id, lower(name)) WHERE (deleted_at IS NULL);

CREATE INDEX link_confirmations_expires_idx ON public.link_confirmations USING btree (expires_at);

CREATE INDEX mail_outbox_due_idx ON public.mail_outbox USING btree (next_attempt_at) WHERE (state = 'queued'::text);

CREATE INDEX mail_outbox_org_idx ON public.mail_outbox USING btree (org_id, created_at);

CREATE INDEX membership_changes_user_idx ON public.membership_changes USING btree (org_id, user_id, at DESC, id DESC);

CREATE INDEX memberships_org_state_idx ON public.memberships USING btree (org_id, state);

CREATE INDEX memberships_user_idx ON public.memberships USING btree (user_id);

CREATE UNIQUE INDEX organisation_licences_current_key ON public.organisation_licences USING btree (org_id) WHERE (replaced_at IS NULL);

CREATE INDEX organisation_licences_history_idx ON public.organisation_licences USING btree (org_id, activated_at DESC, id DESC);

CREATE UNIQUE INDEX organisations_slug_key ON public.organisations USING btree (slug);

CREATE INDEX passkey_ceremonies_expires_idx ON public.passkey_ceremonies USING btree (expires_at);

CREATE INDEX passkeys_user_idx ON public.passkeys USING btree (user_id);

CREATE INDEX password_resets_user_idx ON public.password_resets USING btree (user_id);

CREATE INDEX pending_sign_ins_expires_idx ON public.pending_sign_ins USING btree (expires_at);

CREATE INDEX pending_sign_ins_user_idx ON public.pending_sign_ins USING btree (user_id);

CREATE INDEX recovery_codes_user_idx ON public.recovery_codes USING btree (user_id) WHERE (used_at IS NULL);

CREATE INDEX registrations_email_idx ON public.registrations USING btree (email, created_at DESC);

CREATE INDEX registrations_expires_idx ON public.registrations USING btree (expires_at);

CREATE INDEX role_assignments_team_idx ON public.role_assignments USING btree (team_id) WHERE (team_id IS NOT NULL);

CREATE UNIQUE INDEX role_assignments_team_key ON public.role_assignments USING btree (role_id, team_id) WHERE (team_id IS NOT NULL);

CREATE INDEX role_assignments_user_idx ON public.role_assignments USING btree (user_id) WHERE (user_id IS NOT NULL);

CREATE UNIQUE INDEX role_assignments_user_key ON public.role_assignments USING btree (role_id, user_id) WHERE (user_id IS NOT NULL);

CREATE INDEX saml_assertions_forget_idx ON public.saml_assertions USING btree (forget_after);

CREATE INDEX sessions_expires_idx ON public.sessions USING btree (expires_at);

CREATE INDEX sessions_user_idx ON public.sessions USING btree (user_id, last_used_at DESC);

CREATE INDEX sign_in_origins_last_seen_idx ON public.sign_in_origins USING btree (last_seen_at);

CREATE INDEX software_packages_name_idx ON public.software_packages USING btree (org_id, lower(name));

CREATE INDEX software_packages_removed_idx ON public.software_packages USING btree (removed_at) WHERE (removed_at IS NOT NULL);

CREATE INDEX software_scans_host_idx ON public.software_scans USING btree (host_id, requested_at DESC, id);

CREATE UNIQUE INDEX software_scans_open_key ON public.software_scans USING btree (host_id) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));

CREATE INDEX software_scans_org_idx ON public.software_scans USING btree (org_id, requested_at);

CREATE INDEX software_staged_packages_age_idx ON public.software_staged_packages USING btree (staged_at);

CREATE INDEX software_staged_packages_upload_idx ON public.software_staged_packages USING btree (upload_id, source, name, version, architecture);

CREATE INDEX sso_attempts_expires_idx ON public.sso_attempts USING btree (expires_at);

CREATE INDEX task_runs_completed_at_idx ON public.task_runs USING btree (completed_at) WHERE (completed_at IS NOT NULL);

CREATE INDEX task_targets_host_id_idx ON public.task_targets USING btree (host_id, id);

CREATE INDEX task_targets_open_idx ON public.task_targets USING btree (host_id) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text, 'cancelling'::text]));

CREATE INDEX task_targets_run_id_idx ON public.task_targets USING btree (run_id, "position");

CREATE INDEX team_host_groups_group_idx ON public.team_host_groups USING btree (group_id);

CREATE INDEX team_members_user_idx ON public.team_members USING btree (user_id);

CREATE UNIQUE INDEX teams_name_key ON public.teams USING btree (org_id, lower(name));

CREATE INDEX throttles_window_idx ON public.throttles USING btree (window_started_at);

CREATE INDEX user_host_scopes_group_idx ON public.user_host_scopes USING btree (group_id);

CREATE UNIQUE INDEX users_email_key ON public.users USING btree (lower(email)) WHERE (deleted_at IS NULL);

ALTER INDEX public.audit_events_action_idx ATTACH PARTITION public.audit_events_default_org_id_action_at_id_idx;

ALTER INDEX public.audit_events_actor_idx ATTACH PARTITION public.audit_events_default_org_id_actor_id_at_id_idx;

ALTER INDEX public.audit_events_org_at_idx ATTACH PARTITION public.audit_events_default_org_id_at_id_idx;

ALTER INDEX public.audit_events_target_idx ATTACH PARTITION public.audit_events_default_org_id_target_type_target_id_at_id_idx;

ALTER INDEX public.audit_events_pkey ATTACH PARTITION public.audit_events_default_pkey;

ALTER INDEX public.audit_events_request_idx ATTACH PARTITION public.audit_events_default_request_id_at_idx;

ALTER INDEX public.container_samples_pkey ATTACH PARTITION public.container_samples_default_pkey;

ALTER INDEX public.host_disk_samples_1h_pkey ATTACH PARTITION public.host_disk_samples_1h_default_pkey;

ALTER INDEX public.host_disk_samples_1m_pkey ATTACH PARTITION public.host_disk_samples_1m_default_pkey;

ALTER INDEX public.host_disk_samples_pkey ATTACH PARTITION public.host_disk_samples_default_pkey;

ALTER INDEX public.host_network_samples_1h_pkey ATTACH PARTITION public.host_network_samples_1h_default_pkey;

ALTER INDEX public.host_network_samples_1m_pkey ATTACH PARTITION public.host_network_samples_1m_default_pkey;

ALTER INDEX public.host_network_samples_pkey ATTACH PARTITION public.host_network_samples_default_pkey;

ALTER INDEX public.metric_samples_1h_pkey ATTACH PARTITION public.metric_samples_1h_default_pkey;

ALTER INDEX public.metric_samples_1m_pkey ATTACH PARTITION public.metric_samples_1m_default_pkey;

ALTER INDEX public.metric_samples_pkey ATTACH PARTITION public.metric_samples_default_pkey;

CREATE TRIGGER audit_chain_append_only BEFORE DELETE OR UPDATE ON public.audit_chain FOR EACH ROW EXECUTE FUNCTION public.audit_refuse_change();

CREATE TRIGGER audit_chain_no_truncate BEFORE TRUNCATE ON public.audit_chain FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse_change();

CREATE TRIGGER audit_checkpoints_append_only BEFORE DELETE OR UPDATE ON public.audit_checkpoints FOR EACH ROW EXECUTE FUNCTION public.audit_refuse_change();

CREATE TRIGGER audit_checkpoints_no_truncate BEFORE TRUNCATE ON public.audit_checkpoints FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse_change();

CREATE TRIGGER audit_events_append_only BEFORE DELETE OR UPDATE ON public.audit_events FOR EACH ROW EXECUTE FUNCTION public.audit_refuse_change();

CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON public.audit_events FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse_change();

CREATE TRIGGER audit_events_queue AFTER INSERT ON public.audit_events FOR EACH ROW EXECUTE FUNCTION public.audit_queue();

ALTER TABLE ONLY public.activation_tokens
    ADD CONSTRAINT activation_tokens_created_by_fkey FOREIGN KEY (created_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.activation_tokens
    ADD CONSTRAINT activation_tokens_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.address_links
    ADD CONSTRAINT address_links_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.address_links
    ADD CONSTRAINT address_links_registration_id_fkey FOREIGN KEY (registration_id) REFERENCES public.registrations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.address_links
    ADD CONSTRAINT address_links_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.agent_certificates
    ADD CONSTRAINT agent_certificates_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.agent_enrolment_tokens
    ADD CONSTRAINT agent_enrolment_tokens_created_by_fkey FOREIGN KEY (created_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.agent_enrolment_tokens
    ADD CONSTRAINT agent_enrolment_tokens_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.agent_enrolment_tokens
    ADD CONSTRAINT agent_enrolment_tokens_revoked_by_fkey FOREIGN KEY (revoked_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.agent_leases
    ADD CONSTRAINT agent_leases_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.agent_leases
    ADD CONSTRAINT agent_leases_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.agent_queries
    ADD CONSTRAINT agent_queries_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.agent_queries
    ADD CONSTRAINT agent_queries_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.agent_queries
    ADD CONSTRAINT agent_queries_requested_by_fkey FOREIGN KEY (requested_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.agent_releases
    ADD CONSTRAINT agent_releases_published_by_fkey FOREIGN KEY (published_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.agent_rollout_members
    ADD CONSTRAINT agent_rollout_members_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.agent_rollout_members
    ADD CONSTRAINT agent_rollout_members_rollout_id_fkey FOREIGN KEY (rollout_id) REFERENCES public.agent_rollouts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.agent_rollouts
    ADD CONSTRAINT agent_rollouts_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.agent_rollouts
    ADD CONSTRAINT agent_rollouts_release_id_fkey FOREIGN KEY (release_id) REFERENCES public.agent_releases(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.agent_rollouts
    ADD CONSTRAINT agent_rollouts_started_by_fkey FOREIGN KEY (started_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.agent_status_history
    ADD CONSTRAINT agent_status_history_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.agent_update_settings
    ADD CONSTRAINT agent_update_settings_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.agent_updates
    ADD CONSTRAINT agent_updates_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_approved_by_fkey FOREIGN KEY (approved_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_claims_host_id_fkey FOREIGN KEY (claims_host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_enrolment_token_id_fkey FOREIGN KEY (enrolment_token_id) REFERENCES public.agent_enrolment_tokens(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_created_by_fkey FOREIGN KEY (created_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_revoked_by_fkey FOREIGN KEY (revoked_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.audit_forwarders
    ADD CONSTRAINT audit_forwarders_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.checks
    ADD CONSTRAINT checks_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.checks
    ADD CONSTRAINT checks_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.container_batches
    ADD CONSTRAINT container_batches_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.container_events
    ADD CONSTRAINT container_events_container_id_fkey FOREIGN KEY (container_id) REFERENCES public.containers(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.container_host_settings
    ADD CONSTRAINT container_host_settings_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.container_runtimes
    ADD CONSTRAINT container_runtimes_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.container_settings
    ADD CONSTRAINT container_settings_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.containers
    ADD CONSTRAINT containers_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.custom_role_terms
    ADD CONSTRAINT custom_role_terms_role_id_fkey FOREIGN KEY (role_id) REFERENCES public.custom_roles(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.custom_roles
    ADD CONSTRAINT custom_roles_created_by_fkey FOREIGN KEY (created_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.custom_roles
    ADD CONSTRAINT custom_roles_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.egress_settings
    ADD CONSTRAINT egress_settings_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.egress_targets
    ADD CONSTRAINT egress_targets_created_by_fkey FOREIGN KEY (created_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.egress_targets
    ADD CONSTRAINT egress_targets_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.external_identities
    ADD CONSTRAINT external_identities_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.external_identities
    ADD CONSTRAINT external_identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.feature_flags
    ADD CONSTRAINT feature_flags_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.feature_flags
    ADD CONSTRAINT feature_flags_updated_by_fkey FOREIGN KEY (updated_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.host_defaults
    ADD CONSTRAINT host_defaults_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.host_group_members
    ADD CONSTRAINT host_group_members_added_by_fkey FOREIGN KEY (added_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.host_group_members
    ADD CONSTRAINT host_group_members_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.host_groups(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.host_group_members
    ADD CONSTRAINT host_group_members_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.host_groups
    ADD CONSTRAINT host_groups_created_by_fkey FOREIGN KEY (created_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.host_groups
    ADD CONSTRAINT host_groups_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.host_ssh_keys
    ADD CONSTRAINT host_ssh_keys_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.host_vitals
    ADD CONSTRAINT host_vitals_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.hosts
    ADD CONSTRAINT hosts_deleted_by_fkey FOREIGN KEY (deleted_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.hosts
    ADD CONSTRAINT hosts_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.identity_providers
    ADD CONSTRAINT identity_providers_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.identity_providers
    ADD CONSTRAINT identity_providers_secret_set_by_fkey FOREIGN KEY (secret_set_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_accepted_by_fkey FOREIGN KEY (accepted_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_invited_by_fkey FOREIGN KEY (invited_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.ldap_configurations
    ADD CONSTRAINT ldap_configurations_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.licence_notices
    ADD CONSTRAINT licence_notices_licence_id_fkey FOREIGN KEY (licence_id) REFERENCES public.organisation_licences(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.link_confirmations
    ADD CONSTRAINT link_confirmations_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.link_confirmations
    ADD CONSTRAINT link_confirmations_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.mail_outbox
    ADD CONSTRAINT mail_outbox_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.membership_changes
    ADD CONSTRAINT membership_changes_actor_id_fkey FOREIGN KEY (actor_id) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.membership_changes
    ADD CONSTRAINT membership_changes_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.membership_changes
    ADD CONSTRAINT membership_changes_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_invited_by_fkey FOREIGN KEY (invited_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.metric_retention
    ADD CONSTRAINT metric_retention_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.organisation_licences
    ADD CONSTRAINT organisation_licences_activated_by_fkey FOREIGN KEY (activated_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.organisation_licences
    ADD CONSTRAINT organisation_licences_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.organisation_licences
    ADD CONSTRAINT organisation_licences_replaced_by_fkey FOREIGN KEY (replaced_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.organisations
    ADD CONSTRAINT organisations_deleted_by_fkey FOREIGN KEY (deleted_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.passkey_ceremonies
    ADD CONSTRAINT passkey_ceremonies_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.passkeys
    ADD CONSTRAINT passkeys_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.password_resets
    ADD CONSTRAINT password_resets_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.password_resets
    ADD CONSTRAINT password_resets_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.pending_sign_ins
    ADD CONSTRAINT pending_sign_ins_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.pending_sign_ins
    ADD CONSTRAINT pending_sign_ins_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT recovery_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.registrations
    ADD CONSTRAINT registrations_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.role_assignments
    ADD CONSTRAINT role_assignments_assigned_by_fkey FOREIGN KEY (assigned_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.role_assignments
    ADD CONSTRAINT role_assignments_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.role_assignments
    ADD CONSTRAINT role_assignments_role_id_fkey FOREIGN KEY (role_id) REFERENCES public.custom_roles(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.role_assignments
    ADD CONSTRAINT role_assignments_team_id_fkey FOREIGN KEY (team_id) REFERENCES public.teams(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.role_assignments
    ADD CONSTRAINT role_assignments_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.saml_assertions
    ADD CONSTRAINT saml_assertions_attempt_id_fkey FOREIGN KEY (attempt_id) REFERENCES public.sso_attempts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.saml_assertions
    ADD CONSTRAINT saml_assertions_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES public.identity_providers(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.setting_secrets
    ADD CONSTRAINT setting_secrets_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.setting_secrets
    ADD CONSTRAINT setting_secrets_set_by_fkey FOREIGN KEY (set_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.settings_history
    ADD CONSTRAINT settings_history_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.settings_history
    ADD CONSTRAINT settings_history_updated_by_fkey FOREIGN KEY (updated_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.settings
    ADD CONSTRAINT settings_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.settings
    ADD CONSTRAINT settings_updated_by_fkey FOREIGN KEY (updated_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.sign_in_origins
    ADD CONSTRAINT sign_in_origins_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.software_hosts
    ADD CONSTRAINT software_hosts_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.software_packages
    ADD CONSTRAINT software_packages_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.software_scans
    ADD CONSTRAINT software_scans_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.software_scans
    ADD CONSTRAINT software_scans_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.software_settings
    ADD CONSTRAINT software_settings_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sso_attempts
    ADD CONSTRAINT sso_attempts_confirm_user_id_fkey FOREIGN KEY (confirm_user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sso_attempts
    ADD CONSTRAINT sso_attempts_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES public.identity_providers(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.task_output
    ADD CONSTRAINT task_output_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.task_targets(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.task_runs
    ADD CONSTRAINT task_runs_created_by_fkey FOREIGN KEY (created_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.task_runs
    ADD CONSTRAINT task_runs_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.task_targets
    ADD CONSTRAINT task_targets_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.task_targets
    ADD CONSTRAINT task_targets_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.task_runs(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.team_host_groups
    ADD CONSTRAINT team_host_groups_added_by_fkey FOREIGN KEY (added_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.team_host_groups
    ADD CONSTRAINT team_host_groups_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.host_groups(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.team_host_groups
    ADD CONSTRAINT team_host_groups_team_id_fkey FOREIGN KEY (team_id) REFERENCES public.teams(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_added_by_fkey FOREIGN KEY (added_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_team_id_fkey FOREIGN KEY (team_id) REFERENCES public.teams(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.teams
    ADD CONSTRAINT teams_created_by_fkey FOREIGN KEY (created_by) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.teams
    ADD CONSTRAINT teams_lead_id_fkey FOREIGN KEY (lead_id) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.teams
    ADD CONSTRAINT teams_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.totp_seeds
    ADD CONSTRAINT totp_seeds_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.user_host_scopes
    ADD CONSTRAINT user_host_scopes_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.host_groups(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.user_host_scopes
    ADD CONSTRAINT user_host_scopes_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.user_preferences
    ADD CONSTRAINT user_preferences_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
