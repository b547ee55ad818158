"""Gloo's groups among a training's ranks, over a system's links and cut on demand.

Gloo chooses a port of its own and tells the others by a store; the one with the higher address dials. `torch_drills.store`
changes what is told in passing, so that a dialler is led to a link of the fault plane; `front` lets gloo and HTTP share the one
port that links lead to; `abort` ends a collective that would wait for somebody who does not come.
"""
