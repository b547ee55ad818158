"""The engine. Its sibling packages have plain names (`faults`, `results`, …), so it makes sure to get its own."""

from harness import roots

roots.claim()
