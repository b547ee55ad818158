"""Pieces that several systems are built from."""
