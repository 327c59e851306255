-- Slice: second_factor (TOTP seeds, recovery codes).
-- Locks: none, new tables only. Safe while the previous release runs: yes.

CREATE TABLE totp_seeds (
    user_id     uuid        PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    seed_sealed bytea       NOT NULL,
    last_step   bigint      NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL,
    enrolled_at timestamptz
);
COMMENT ON COLUMN totp_seeds.last_step IS 'Step (30 s since 1970) of the last accepted code; this one and earlier ones are refused';
COMMENT ON COLUMN totp_seeds.enrolled_at IS 'Empty until the first valid code proved that the app has the seed';

CREATE TABLE recovery_codes (
    id          uuid        PRIMARY KEY,
    user_id     uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash_sealed bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    used_at     timestamptz
);
CREATE INDEX recovery_codes_user_idx ON recovery_codes (user_id) WHERE used_at IS NULL;
COMMENT ON COLUMN recovery_codes.hash_sealed IS 'SHA-256 of the code, sealed with the install key: a code has 50 bits, too few for a bare hash';
