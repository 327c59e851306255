//! Logs and metrics: set-up and the list of field names.
