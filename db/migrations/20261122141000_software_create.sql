-- Slice: software (inventory of packages, scans, settings).
-- Locks: none, new tables only. Safe while the previous release runs: yes.

CREATE TABLE software_settings (
    org_id                    uuid        PRIMARY KEY REFERENCES organisations (id) ON DELETE CASCADE,
    enabled                   boolean     NOT NULL DEFAULT false,
    interval_hours            integer     NOT NULL DEFAULT 24 CHECK (interval_hours BETWEEN 1 AND 720),
    include_snap              boolean     NOT NULL DEFAULT false,
    include_flatpak           boolean     NOT NULL DEFAULT false,
    include_windows_store     boolean     NOT NULL DEFAULT false,
    include_language_managers boolean     NOT NULL DEFAULT false,
    updated_at                timestamptz NOT NULL
);
COMMENT ON TABLE software_settings IS 'No row means the defaults: no automatic scans';

CREATE TABLE software_scans (
    id            uuid        PRIMARY KEY,
    org_id        uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    host_id       uuid        NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    run_id        uuid,
    origin        text        NOT NULL CHECK (origin IN ('user', 'schedule', 'task')),
    status        text        NOT NULL CHECK (status IN ('pending', 'running', 'success', 'partial', 'failed')),
    upload_id     uuid,
    error         text,
    sources       jsonb       NOT NULL DEFAULT '[]',
    package_count integer     NOT NULL DEFAULT 0,
    added         integer     NOT NULL DEFAULT 0,
    removed       integer     NOT NULL DEFAULT 0,
    unchanged     integer     NOT NULL DEFAULT 0,
    requested_at  timestamptz NOT NULL,
    started_at    timestamptz,
    completed_at  timestamptz
);
-- One scan of a host at a time, whoever asks for it.
CREATE UNIQUE INDEX software_scans_open_key ON software_scans (host_id) WHERE status IN ('pending', 'running');
CREATE INDEX software_scans_host_idx ON software_scans (host_id, requested_at DESC, id);
CREATE INDEX software_scans_org_idx ON software_scans (org_id, requested_at);
COMMENT ON COLUMN software_scans.id IS 'The host''s row in its task run: the scan id on the wire';
COMMENT ON COLUMN software_scans.upload_id IS 'The stream that may finish the scan; a newer stream of the same scan replaces it';

-- What the sweeper asks of a host, so that it need not read the scans of all hosts every minute.
CREATE TABLE software_hosts (
    host_id          uuid        PRIMARY KEY REFERENCES hosts (id) ON DELETE CASCADE,
    last_complete_at timestamptz,
    failures         integer     NOT NULL DEFAULT 0 CHECK (failures >= 0),
    last_failure_at  timestamptz
);
COMMENT ON COLUMN software_hosts.failures IS 'Scans that ended without success since the last complete one';

CREATE TABLE software_packages (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    org_id         uuid        NOT NULL,
    host_id        uuid        NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    source         text        COLLATE "C" NOT NULL,
    name           text        COLLATE "C" NOT NULL,
    version        text        COLLATE "C" NOT NULL,
    architecture   text        COLLATE "C" NOT NULL DEFAULT '',
    publisher      text,
    distro_id      text,
    distro_version text,
    distro_codename text,
    source_name    text,
    source_version text,
    epoch          text,
    release        text,
    repository     text,
    origin         text,
    install_date   timestamptz,
    first_seen_at  timestamptz NOT NULL,
    last_seen_at   timestamptz NOT NULL,
    removed_at     timestamptz,
    replaced_by    bigint,
    came_scan_id   uuid        NOT NULL,
    last_scan_id   uuid        NOT NULL,
    UNIQUE (host_id, source, name, version, architecture)
) WITH (fillfactor = 85);
CREATE INDEX software_packages_name_idx ON software_packages (org_id, lower(name));
CREATE INDEX software_packages_removed_idx ON software_packages (removed_at) WHERE removed_at IS NOT NULL;
COMMENT ON COLUMN software_packages.came_scan_id IS 'The scan in which it was first seen, or seen again after it had gone';
COMMENT ON COLUMN software_packages.replaced_by IS 'The package that came in the scan in which this one went: an upgrade';

-- Packages of uploads that are not finished. Not logged: what a crash of the database takes belongs to scans that the
-- agent has not had acknowledged.
CREATE UNLOGGED TABLE software_staged_packages (
    upload_id      uuid        NOT NULL,
    staged_at      timestamptz NOT NULL,
    source         text        COLLATE "C" NOT NULL,
    name           text        COLLATE "C" NOT NULL,
    version        text        COLLATE "C" NOT NULL,
    architecture   text        COLLATE "C" NOT NULL,
    publisher      text,
    distro_id      text,
    distro_version text,
    distro_codename text,
    source_name    text,
    source_version text,
    epoch          text,
    release        text,
    repository     text,
    origin         text,
    install_date   timestamptz
);
CREATE INDEX software_staged_packages_upload_idx ON software_staged_packages (upload_id, source, name, version, architecture);
CREATE INDEX software_staged_packages_age_idx ON software_staged_packages (staged_at);
