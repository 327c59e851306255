-- Slice: teams (the host groups a team owns exist).
-- Locks: team_host_groups and host_groups, for a moment; both are new and small.
-- Safe while the previous release runs: yes.

ALTER TABLE team_host_groups
    ADD CONSTRAINT team_host_groups_group_id_fkey FOREIGN KEY (group_id) REFERENCES host_groups (id) ON DELETE CASCADE;
