"""The embedded fault plane: a TCP proxy server of its own process that speaks Toxiproxy 2.12's HTTP API.

`python -m faults.plane --port 8474` starts one. Any Toxiproxy client drives it; `docs/toxiproxy.md` lists what differs.
"""
