"""Locust's web UI, runners and distribution in front of the load engine and a system started by `harness ui`."""
