//! Area: organisations, sign-in, sessions, users and the audit trail.
