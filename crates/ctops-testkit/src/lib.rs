//! For tests: databases, the app in process, actors, a fake agent, builders.
