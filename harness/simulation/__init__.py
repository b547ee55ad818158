"""A drill on simulated machines: the same node, client, workload, fault and checker code, in one process, under virtual time.

A run is a function of the code, the drill, the seed and the settings, and nothing else. See docs/simulation.md.
"""
