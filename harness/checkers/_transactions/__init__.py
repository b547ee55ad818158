"""Transactions over lists and registers: their dependencies, and whether an isolation level explains them."""
