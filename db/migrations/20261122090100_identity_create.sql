-- Slice: identity (organisations, users, sessions, set-up, audit).
-- Locks: none, new tables only. Safe while the previous release runs: yes (first release).

CREATE TABLE organisations (
    id                  uuid        PRIMARY KEY,
    name                text        NOT NULL CHECK (char_length(name) BETWEEN 2 AND 100),
    reenrolment_policy  text        NOT NULL DEFAULT 'adopt'
                        CHECK (reenrolment_policy IN ('adopt', 'adopt_after_approval', 'refuse')),
    created_at          timestamptz NOT NULL
);

CREATE TABLE users (
    id                uuid        PRIMARY KEY,
    email             text        NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254),
    name              text        NOT NULL CHECK (char_length(name) BETWEEN 2 AND 100),
    password_hash     text,
    email_verified_at timestamptz,
    active            boolean     NOT NULL DEFAULT true,
    created_at        timestamptz NOT NULL,
    deleted_at        timestamptz
);
CREATE UNIQUE INDEX users_email_key ON users (lower(email)) WHERE deleted_at IS NULL;

CREATE TABLE memberships (
    org_id     uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    user_id    uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    roles      text[]      NOT NULL
               CHECK (roles <@ ARRAY['super_admin', 'org_admin', 'engineer', 'read_only']::text[]),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, user_id)
);
CREATE INDEX memberships_user_idx ON memberships (user_id);

CREATE TABLE sessions (
    id           uuid        PRIMARY KEY,
    token_hash   bytea       NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    user_id      uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    org_id       uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    method       text        NOT NULL CHECK (method IN ('password', 'ldap', 'oidc', 'saml')),
    ip           text        NOT NULL,
    user_agent   text        NOT NULL,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX sessions_user_idx ON sessions (user_id, last_used_at DESC);
CREATE INDEX sessions_expires_idx ON sessions (expires_at);

CREATE TABLE setup_codes (
    singleton    boolean     PRIMARY KEY DEFAULT true CHECK (singleton),
    code_hash    bytea       NOT NULL,
    failures     integer     NOT NULL DEFAULT 0,
    locked_until timestamptz,
    created_at   timestamptz NOT NULL
);

CREATE TABLE audit_events (
    id          uuid        PRIMARY KEY,
    org_id      uuid        REFERENCES organisations (id) ON DELETE CASCADE,
    actor_kind  text        NOT NULL CHECK (actor_kind IN ('user', 'agent', 'system', 'anonymous')),
    actor_id    text,
    action      text        NOT NULL,
    target_type text        NOT NULL,
    target_id   text,
    summary     text        NOT NULL,
    before      jsonb,
    after       jsonb,
    ip          text,
    at          timestamptz NOT NULL
);
CREATE INDEX audit_events_org_at_idx ON audit_events (org_id, at DESC, id DESC);
