"""The Raft protocol as a pure state machine: see `core`."""
