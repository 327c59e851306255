-- Slice: releases (releases of the agent, updates of single agents, rollouts in waves).
-- Locks: none, new tables only. Safe while the previous release runs: yes.

CREATE TABLE agent_releases (
    id                 uuid        PRIMARY KEY,
    channel            text        NOT NULL CHECK (channel ~ '^[a-z0-9-]{1,32}$'),
    version            text        NOT NULL,
    version_rank       bigint      NOT NULL,
    minimum_version    text        NOT NULL,
    minimum_rank       bigint      NOT NULL,
    released_at        timestamptz NOT NULL,
    artifacts          jsonb       NOT NULL,
    manifest_json      bytea       NOT NULL CHECK (octet_length(manifest_json) <= 65536),
    signature          bytea       NOT NULL CHECK (octet_length(signature) = 64),
    published_at       timestamptz NOT NULL,
    published_by       uuid        REFERENCES users (id) ON DELETE SET NULL,
    withdrawn_at       timestamptz,
    UNIQUE (channel, version_rank)
);
COMMENT ON TABLE agent_releases IS 'Releases of the agent for the whole installation; the programs are files named by their digest';
COMMENT ON COLUMN agent_releases.version_rank IS 'The version as a number that orders like it';
COMMENT ON COLUMN agent_releases.manifest_json IS 'Exactly as it was signed';

CREATE TABLE agent_update_settings (
    org_id           uuid      PRIMARY KEY REFERENCES organisations (id) ON DELETE CASCADE,
    waves            integer[] NOT NULL DEFAULT '{10,50,100}',
    halt_percent     integer   NOT NULL DEFAULT 5 CHECK (halt_percent BETWEEN 0 AND 100),
    update_originals boolean   NOT NULL DEFAULT false
);
COMMENT ON COLUMN agent_update_settings.update_originals IS 'Tell agents of the original product, which verify nothing, to download the newest release';

-- One row per agent that something was decided about or that reported an outcome.
CREATE TABLE agent_updates (
    agent_id          text        PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    channel           text        NOT NULL DEFAULT 'stable' CHECK (channel ~ '^[a-z0-9-]{1,32}$'),
    pinned_version    text,
    requested_version text,
    requested_at      timestamptz,
    last_version      text,
    last_outcome      text        CHECK (last_outcome IN ('updated', 'rolled_back', 'refused', 'failed')),
    last_detail       text        NOT NULL DEFAULT '',
    last_at           timestamptz,
    unconfirmed       boolean     NOT NULL DEFAULT false
);
COMMENT ON COLUMN agent_updates.unconfirmed IS 'The agent waits to hear that its outcome is stored';

CREATE TABLE agent_rollouts (
    id              uuid        PRIMARY KEY,
    org_id          uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    release_id      uuid        NOT NULL REFERENCES agent_releases (id) ON DELETE CASCADE,
    channel         text        NOT NULL,
    waves           integer[]   NOT NULL,
    halt_percent    integer     NOT NULL,
    wave            integer     NOT NULL DEFAULT 0 CHECK (wave >= 0),
    state           text        NOT NULL CHECK (state IN ('running', 'halted', 'finished', 'superseded')),
    halt_reason     text        NOT NULL DEFAULT '',
    began_at        timestamptz NOT NULL,
    wave_began_at   timestamptz NOT NULL,
    counted_from    timestamptz NOT NULL,
    started_by      uuid        REFERENCES users (id) ON DELETE SET NULL
);
CREATE UNIQUE INDEX agent_rollouts_open_key ON agent_rollouts (org_id, channel) WHERE state IN ('running', 'halted');
CREATE INDEX agent_rollouts_org_idx ON agent_rollouts (org_id, began_at DESC);
COMMENT ON COLUMN agent_rollouts.wave IS 'Number of the current wave, from 0; members of this and earlier waves are offered the release';
COMMENT ON COLUMN agent_rollouts.counted_from IS 'Failures before this moment do not count: an administrator resumed the rollout knowing them';

CREATE TABLE agent_rollout_members (
    rollout_id uuid        NOT NULL REFERENCES agent_rollouts (id) ON DELETE CASCADE,
    agent_id   text        NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    wave       integer     NOT NULL,
    offered_at timestamptz,
    outcome    text        CHECK (outcome IN ('updated', 'rolled_back', 'refused', 'failed')),
    outcome_at timestamptz,
    PRIMARY KEY (rollout_id, agent_id)
);
CREATE INDEX agent_rollout_members_agent_idx ON agent_rollout_members (agent_id);
