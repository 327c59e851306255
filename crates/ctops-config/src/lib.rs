//! Machinery for settings: environment, secret files, checks and reference export.
