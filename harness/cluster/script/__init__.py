"""A user's torch.distributed script as a system that faults act on: its launcher, its ranks, and the links between them.

The script's own launcher, such as torchrun, starts the ranks. `torch_drills`, which runs inside them, records what they do.
"""
