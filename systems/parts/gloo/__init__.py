"""Gloo groups among a training's ranks, over a system's links, with collectives that can be aborted.

Gloo chooses a port of its own and publishes it in a store; the peer with the higher address dials. `torch_drills.store`
rewrites the published addresses, so that a peer dials a link of the fault plane; `front` lets gloo and HTTP share the one port
that links lead to; `abort` ends a collective that would wait for a peer that never comes.
"""
