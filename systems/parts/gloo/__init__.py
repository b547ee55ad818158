"""Gloo's connections, led over a system's links and cut on demand.

Gloo chooses a port of its own and tells the others by a store; whoever has the higher address dials. `addresses` reads and
changes what is told, `store` does that in passing, so that a dialler is led to a link of the fault plane; `front` lets gloo and
HTTP share the one port that links lead to; `abort` ends a collective that would wait for somebody who does not come.
"""
