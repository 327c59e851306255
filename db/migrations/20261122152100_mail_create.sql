-- Slice: mail (letters that wait for a relay).
-- Locks: none, new table only. Safe while the previous release runs: yes.

CREATE TABLE mail_outbox (
    id              uuid        PRIMARY KEY,
    org_id          uuid        REFERENCES organisations (id) ON DELETE CASCADE,
    kind            text        NOT NULL,
    sealed          bytea,
    state           text        NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'refused', 'expired')),
    attempts        integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    last_error      text,
    created_at      timestamptz NOT NULL,
    next_attempt_at timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    CHECK ((state = 'sent') = (sealed IS NULL) OR state = 'expired')
);
CREATE INDEX mail_outbox_due_idx ON mail_outbox (next_attempt_at) WHERE state = 'queued';
CREATE INDEX mail_outbox_org_idx ON mail_outbox (org_id, created_at);
COMMENT ON COLUMN mail_outbox.sealed IS 'Address, subject, text and link, sealed with the install key under mail:<id>; null once it is no longer needed';
