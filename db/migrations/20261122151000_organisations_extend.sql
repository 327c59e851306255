-- Slice: organisations (address name, time zone, logo, soft deletion).
-- Locks: organisations, for a moment; it has at most a few dozen rows.
-- Safe while the previous release runs: yes, every new column has a default or may be empty.

ALTER TABLE organisations
    ADD COLUMN slug       text        NOT NULL DEFAULT ('org-' || replace(gen_random_uuid()::text, '-', ''))
                          CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    ADD COLUMN time_zone  text        NOT NULL DEFAULT 'UTC' CHECK (char_length(time_zone) BETWEEN 1 AND 64),
    ADD COLUMN logo       bytea       CHECK (octet_length(logo) <= 65536),
    ADD COLUMN logo_type  text        CHECK (logo_type IN ('image/png', 'image/jpeg', 'image/webp')),
    ADD COLUMN deleted_at timestamptz,
    ADD COLUMN deleted_by uuid        REFERENCES users (id) ON DELETE SET NULL,
    ADD CONSTRAINT organisations_logo_has_type CHECK ((logo IS NULL) = (logo_type IS NULL));
CREATE UNIQUE INDEX organisations_slug_key ON organisations (slug);
COMMENT ON COLUMN organisations.deleted_at IS 'Soft: no session, invitation or token of a deleted organisation works; it can be restored for 30 days';
