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
    parked_at timestamp with time zone NOT NULL
);

ALTER TABLE public.dead_letters ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.dead_letters_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

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

CREATE TABLE public.memberships (
    org_id uuid NOT NULL,
    user_id uuid NOT NULL,
    roles text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT memberships_roles_check CHECK ((roles <@ ARRAY['super_admin'::text, 'org_admin'::text, 'engineer'::text, 'read_only'::text]))
);

CREATE TABLE public.metric_samples (
    host_id uuid NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    cpu_centi smallint,
    memory_centi smallint,
    disk_centi smallint,
    uptime_seconds bigint
)
PARTITION BY RANGE (recorded_at);

COMMENT ON TABLE public.metric_samples IS 'One row per scheduled heartbeat; day partitions are made by the server ahead of time';

COMMENT ON COLUMN public.metric_samples.received_at IS 'Arrival, in the key so that two reports of one second (a clock set back) are two rows and a replayed one is not';

CREATE TABLE public.metric_samples_default (
    host_id uuid NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    cpu_centi smallint,
    memory_centi smallint,
    disk_centi smallint,
    uptime_seconds bigint
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

ALTER TABLE ONLY public.agent_status_history
    ADD CONSTRAINT agent_status_history_pkey PRIMARY KEY (id);

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

ALTER TABLE ONLY public.consumer_offsets
    ADD CONSTRAINT consumer_offsets_pkey PRIMARY KEY (group_name, topic, partition);

ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_group_name_topic_partition_log_id_offset_key UNIQUE (group_name, topic, partition, log_id, "offset");

ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.host_vitals
    ADD CONSTRAINT host_vitals_pkey PRIMARY KEY (host_id);

ALTER TABLE ONLY public.hosts
    ADD CONSTRAINT hosts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.ingest_nodes
    ADD CONSTRAINT ingest_nodes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_pkey PRIMARY KEY (org_id, user_id);

ALTER TABLE ONLY public.metric_samples
    ADD CONSTRAINT metric_samples_pkey PRIMARY KEY (host_id, recorded_at, received_at);

ALTER TABLE ONLY public.metric_samples_default
    ADD CONSTRAINT metric_samples_default_pkey PRIMARY KEY (host_id, recorded_at, received_at);

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

ALTER TABLE ONLY public.throttles
    ADD CONSTRAINT throttles_pkey PRIMARY KEY (scope, key);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

CREATE INDEX agent_certificates_agent_idx ON public.agent_certificates USING btree (agent_id, not_after);

CREATE INDEX agent_enrolment_tokens_org_idx ON public.agent_enrolment_tokens USING btree (org_id, created_at DESC, id);

CREATE INDEX agent_leases_node_idx ON public.agent_leases USING btree (node_id);

CREATE INDEX agent_status_history_agent_idx ON public.agent_status_history USING btree (agent_id, at DESC, id DESC);

CREATE INDEX agents_org_idx ON public.agents USING btree (org_id, registered_at DESC, id) WHERE (deleted_at IS NULL);

CREATE INDEX agents_pending_idx ON public.agents USING btree (org_id, registered_at) WHERE ((status = 'pending'::text) AND (deleted_at IS NULL));

CREATE UNIQUE INDEX agents_public_key_key ON public.agents USING btree (public_key_sha256) WHERE (deleted_at IS NULL);

CREATE INDEX audit_events_org_at_idx ON public.audit_events USING btree (org_id, at DESC, id DESC);

CREATE UNIQUE INDEX certificate_authorities_active_key ON public.certificate_authorities USING btree (purpose) WHERE (retired_at IS NULL);

CREATE INDEX host_vitals_name_idx ON public.host_vitals USING btree (org_id, name_key, host_id);

CREATE UNIQUE INDEX hosts_hostname_key ON public.hosts USING btree (org_id, lower(hostname)) WHERE (deleted_at IS NULL);

CREATE INDEX hosts_identity_ips_idx ON public.hosts USING gin (identity_ips) WHERE (deleted_at IS NULL);

CREATE INDEX hosts_machine_id_idx ON public.hosts USING btree (org_id, machine_id) WHERE ((machine_id IS NOT NULL) AND (deleted_at IS NULL));

CREATE INDEX memberships_user_idx ON public.memberships USING btree (user_id);

CREATE INDEX sessions_expires_idx ON public.sessions USING btree (expires_at);

CREATE INDEX sessions_user_idx ON public.sessions USING btree (user_id, last_used_at DESC);

CREATE INDEX throttles_window_idx ON public.throttles USING btree (window_started_at);

CREATE UNIQUE INDEX users_email_key ON public.users USING btree (lower(email)) WHERE (deleted_at IS NULL);

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

ALTER TABLE ONLY public.agent_status_history
    ADD CONSTRAINT agent_status_history_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id) ON DELETE CASCADE;

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

ALTER TABLE ONLY public.host_vitals
    ADD CONSTRAINT host_vitals_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.hosts
    ADD CONSTRAINT hosts_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organisations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
