"""The embedded fault plane: a TCP proxy server that runs in its own process and speaks Toxiproxy 2.12's HTTP API.

`python -m faults.plane --port 8474` starts one. Any Toxiproxy client drives it. `docs/toxiproxy.md` lists the differences.
"""
