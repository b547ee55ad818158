"""Locust's web UI, runners and distribution in front of the load engine and of a system that `harness ui` started."""
