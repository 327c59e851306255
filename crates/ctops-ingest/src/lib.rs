//! Edge: gRPC over mutual TLS; authenticates agents, bounds what they send, queues it and pushes work.
