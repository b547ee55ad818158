"""Transactions over lists and registers: what they depend on, and whether an isolation level explains them."""
