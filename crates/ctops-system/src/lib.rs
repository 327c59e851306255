//! System tests: real processes together.
