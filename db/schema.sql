-- What the files of db/migrations add up to. Generated: do not edit.
-- To write it anew: CT_OPS_BLESS=1 cargo test -p ctops-pg schema

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

CREATE TABLE public.audit_events (
    id uuid NOT NULL,
    org_id uuid,
    actor_kind text NOT NULL,
    actor_id text,
    action text NOT NULL,
    target_type text NOT NULL,
    target_id text,
    summary text NOT NULL,
    before jsonb,
    after jsonb,
    ip text,
    at timestamp with time zone NOT NULL,
    CONSTRAINT audit_events_actor_kind_check CHECK ((actor_kind = ANY (ARRAY['user'::text, 'agent'::text, 'system'::text, 'anonymous'::text])))
);

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
    CONSTRAINT hosts_display_name_check CHECK ((char_length(display_name) <= 100)),
    CONSTRAINT hosts_hostname_check CHECK (((char_length(hostname) >= 1) AND (char_length(hostname) <= 253)))
);

CREATE TABLE public.ingest_nodes (
    id uuid NOT NULL,
    name text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    lease_until timestamp with time zone NOT NULL
);

CREATE TABLE public.leader_leases (
    name text NOT NULL,
    holder uuid NOT NULL,
    holder_name text NOT NULL,
    held_since timestamp with time zone NOT NULL,
    lease_until timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.leader_leases IS 'One row per task of which the installation has one; the time is that of the database';

CREATE TABLE public.memberships (
    org_id uuid NOT NULL,
    user_id uuid NOT NULL,
    roles text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT memberships_roles_check CHECK ((roles <@ ARRAY['super_admin'::text, 'org_admin'::text, 'engineer'::text, 'read_only'::text]))
);

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

CREATE TABLE public.organisations (
    id uuid NOT NULL,
    name text NOT NULL,
    reenrolment_policy text DEFAULT 'adopt'::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT organisations_name_check CHECK (((char_length(name) >= 2) AND (char_length(name) <= 100))),
    CONSTRAINT organisations_reenrolment_policy_check CHECK ((reenrolment_policy = ANY (ARRAY['adopt'::text, 'adopt_after_approval'::text, 'refuse'::text])))
);

CREATE TABLE public.revoked_certificates (
    serial text NOT NULL,
    reason text NOT NULL,
    revoked_at timestamp with time zone NOT NULL,
    not_after timestamp with time zone,
    CONSTRAINT revoked_certificates_serial_check CHECK ((serial ~ '^[0-9a-f]+$'::text))
);

CREATE TABLE public.schema_migrations (
    version bigint NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamp with time zone NOT NULL
);

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
    CONSTRAINT sessions_method_check CHECK ((method = ANY (ARRAY['password'::text, 'ldap'::text, 'oidc'::text, 'saml'::text]))),
    CONSTRAINT sessions_token_hash_check CHECK ((octet_length(token_hash) = 32))
);

CREATE TABLE public.setup_codes (
    singleton boolean DEFAULT true NOT NULL,
    code_hash bytea NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT setup_codes_singleton_check CHECK (singleton)
);

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

CREATE TABLE public.users (
    id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    password_hash text,
    email_verified_at timestamp with time zone,
    active boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT users_email_check CHECK (((char_length(email) >= 3) AND (char_length(email) <= 254))),
    CONSTRAINT users_name_check CHECK (((char_length(name) >= 2) AND (char_length(name) <= 100)))
);

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

ALTER TABLE ONLY public.audit_events
    ADD CONSTRAINT audit_events_pkey PRIMARY KEY (id);

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

ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_group_name_topic_partition_log_id_offset_key UNIQUE (group_name, topic, partition, log_id, "offset");

ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);

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

ALTER TABLE ONLY public.ingest_nodes
    ADD CONSTRAINT ingest_nodes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.leader_leases
    ADD CONSTRAINT leader_leases_pkey PRIMARY KEY (name);

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

ALTER TABLE ONLY public.organisations
    ADD CONSTRAINT organisations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.revoked_certificates
    ADD CONSTRAINT revoked_certificates_pkey PRIMARY KEY (serial);

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.sealed_secrets
    ADD CONSTRAINT sealed_secrets_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_token_hash_key UNIQUE (token_hash);

ALTER TABLE ONLY public.setup_codes
    ADD CONSTRAINT setup_codes_pkey PRIMARY KEY (singleton);

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

ALTER TABLE ONLY public.task_output
    ADD CONSTRAINT task_output_pkey PRIMARY KEY (task_id, seq);

ALTER TABLE ONLY public.task_runs
    ADD CONSTRAINT task_runs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.task_targets
    ADD CONSTRAINT task_targets_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.throttles
    ADD CONSTRAINT throttles_pkey PRIMARY KEY (scope, key);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

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

CREATE INDEX audit_events_org_at_idx ON public.audit_events USING btree (org_id, at DESC, id DESC);

CREATE UNIQUE INDEX certificate_authorities_active_key ON public.certificate_authorities USING btree (purpose) WHERE (retired_at IS NULL);

CREATE INDEX checks_host_id_idx ON public.checks USING btree (host_id, id);

CREATE INDEX container_batches_received_idx ON public.container_batches USING btree (received_at);

CREATE INDEX container_events_time_idx ON public.container_events USING btree (occurred_at);

CREATE INDEX containers_host_idx ON public.containers USING btree (org_id, host_id, is_present);

CREATE INDEX containers_image_idx ON public.containers USING btree (org_id, image);

CREATE INDEX dead_letters_requested ON public.dead_letters USING btree (id) WHERE ((replay_requested_at IS NOT NULL) AND (replayed_at IS NULL));

CREATE INDEX host_vitals_name_idx ON public.host_vitals USING btree (org_id, name_key, host_id);

CREATE UNIQUE INDEX hosts_hostname_key ON public.hosts USING btree (org_id, lower(hostname)) WHERE (deleted_at IS NULL);

CREATE INDEX hosts_identity_ips_idx ON public.hosts USING gin (identity_ips) WHERE (deleted_at IS NULL);

CREATE INDEX hosts_machine_id_idx ON public.hosts USING btree (org_id, machine_id) WHERE ((machine_id IS NOT NULL) AND (deleted_at IS NULL));

CREATE INDEX memberships_user_idx ON public.memberships USING btree (user_id);

CREATE INDEX sessions_expires_idx ON public.sessions USING btree (expires_at);

CREATE INDEX sessions_user_idx ON public.sessions USING btree (user_id, last_used_at DESC);

CREATE INDEX software_packages_name_idx ON public.software_packages USING btree (org_id, lower(name));

CREATE INDEX software_packages_removed_idx ON public.software_packages USING btree (removed_at) WHERE (removed_at IS NOT NULL);

CREATE INDEX software_scans_host_idx ON public.software_scans USING btree (host_id, requested_at DESC, id);

CREATE UNIQUE INDEX software_scans_open_key ON public.software_scans USING btree (host_id) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));

CREATE INDEX software_scans_org_idx ON public.software_scans USING btree (org_id, requested_at);

CREATE INDEX software_staged_packages_age_idx ON public.software_staged_packages USING btree (staged_at);

CREATE INDEX software_staged_packages_upload_idx ON public.software_staged_packages USING btree (upload_id, source, name, version, architecture);

CREATE INDEX task_runs_completed_at_idx ON public.task_runs USING btree (completed_at) WHERE (completed_at IS NOT NULL);

CREATE INDEX task_targets_host_id_idx ON public.task_targets USING btree (host_id, id);

CREATE INDEX task_targets_open_idx ON public.task_targets USING btree (host_id) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text, 'cancelling'::text]));

CREATE INDEX task_targets_run_id_idx ON public.task_targets USING btree (run_id, "position");

CREATE INDEX throttles_window_idx ON public.throttles USING btree (window_started_at);

CREATE UNIQUE INDEX users_email_key ON public.users USING btree (lower(email)) WHERE (deleted_at IS NULL);

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

ALTER TABLE ONLY public.audit_events
    ADD CONSTRAINT audit_events_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

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

ALTER TABLE ONLY public.host_defaults
    ADD CONSTRAINT host_defaults_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.host_ssh_keys
    ADD CONSTRAINT host_ssh_keys_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.host_vitals
    ADD CONSTRAINT host_vitals_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.hosts
    ADD CONSTRAINT hosts_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.metric_retention
    ADD CONSTRAINT metric_retention_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

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
