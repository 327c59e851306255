-- Slice: foundation (dead letters). Asking for a replay, its outcome, and how often a letter was refused.
-- Locks: ACCESS EXCLUSIVE on dead_letters for a moment (constants as defaults, no rewrite). Safe while the previous release runs: yes.

ALTER TABLE dead_letters
    ADD COLUMN refusals            integer     NOT NULL DEFAULT 1 CHECK (refusals > 0),
    ADD COLUMN replay_requested_at timestamptz,
    ADD COLUMN replayed_at         timestamptz;
COMMENT ON COLUMN dead_letters.refusals IS 'How often the consumer group could not apply it, replays included';
COMMENT ON COLUMN dead_letters.replayed_at IS 'Set in the transaction that applied the record, so that it is applied once';

CREATE INDEX dead_letters_requested ON dead_letters (id) WHERE replay_requested_at IS NOT NULL AND replayed_at IS NULL;
