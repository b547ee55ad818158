"""Somebody's own torch.distributed script as a system that faults act on: its launcher, its ranks, and the links between them.

The ranks are started by the script's own launcher, such as torchrun. What is known of them is what `torch_drills`, which runs
inside of them, writes down.
"""
