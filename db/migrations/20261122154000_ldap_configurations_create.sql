-- Slice: ldap_configurations (directories that people sign in to and are looked up in).
-- Locks: none, a new table only. Safe while the previous release runs: yes.

CREATE TABLE ldap_configurations (
    id                   uuid        PRIMARY KEY,
    org_id               uuid        NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    name                 text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 255),
    enabled              boolean     NOT NULL,
    login_allowed        boolean     NOT NULL,
    settings             jsonb       NOT NULL,
    sealed_bind_dn       bytea,
    sealed_bind_password bytea,
    sealed_ca_pem        bytea,
    version              integer     NOT NULL DEFAULT 1,
    last_test_at         timestamptz,
    last_test_result     jsonb,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    deleted_at           timestamptz
);
CREATE UNIQUE INDEX ldap_configurations_name_key ON ldap_configurations (org_id, lower(name)) WHERE deleted_at IS NULL;
COMMENT ON COLUMN ldap_configurations.settings IS 'Everything but secrets, validated: servers, bases, filters, attributes, maps of groups';
COMMENT ON COLUMN ldap_configurations.sealed_bind_password IS 'Sealed with the install key; removed when the servers change';
COMMENT ON COLUMN ldap_configurations.last_test_result IS 'Steps and times of the last test; no entry of the directory';
