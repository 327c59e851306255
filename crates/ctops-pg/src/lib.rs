//! PostgreSQL: pool, migrations, notifications, the embedded server, time partitions.
