"""Runs Apache Otava over many series, with the interpreter of its own environment, in which nothing of ours is installed.

It reads JSON from standard input, {"series": [[...], ...], "p": 0.001}, and writes the indices of the changes in each series to
standard output.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Use Otava's default window of 50, and the given p (its default is 0.001)."""
    from otava.analysis import compute_change_points  # type: ignore[import-not-found,unused-ignore]

    asked = json.load(sys.stdin)
    found = [
        [int(change.index) for change in compute_change_points(series, max_pvalue=asked["p"])[0]] for series in asked["series"]
    ]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
