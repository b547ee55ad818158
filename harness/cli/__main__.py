"""`python -m harness.cli` is the `harness` command."""

from harness.cli.main import main

main()
