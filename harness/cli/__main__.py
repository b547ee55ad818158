"""`python -m harness.cli` is the `harness` command."""

from harness_command import main

main()
