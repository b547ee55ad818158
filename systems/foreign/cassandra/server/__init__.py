"""Cassandra's server, as it is put here: its libraries from Maven, and a main class that takes an address for each peer."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness.paths import cache_dir
from systems.foreign.installing import carry_out, tool

_SOURCE: Final = Path(__file__).parent
_MAIN: Final = "LinkedCassandra"
LOGGING: Final = _SOURCE / "logback.xml"

_OPENED: Final = {
    "java.base": (
        "java.io", "java.lang", "java.lang.module", "java.lang.reflect", "java.net", "java.nio", "java.util",
        "java.util.concurrent", "java.util.concurrent.atomic", "jdk.internal.loader", "jdk.internal.math",
        "jdk.internal.misc", "jdk.internal.module", "jdk.internal.ref", "jdk.internal.reflect", "jdk.internal.util.jar",
        "sun.nio.ch", "sun.nio.fs",
    ),
    "java.management": ("com.sun.jmx.remote.security",),
    "java.management.rmi": ("javax.management.remote.rmi",),
    "java.rmi": ("sun.rmi.registry", "sun.rmi.server", "sun.rmi.transport.tcp"),
    "java.sql": ("java.sql",),
    "jdk.management": ("com.sun.management.internal",),
}  # fmt: skip
"""By module, the packages that Cassandra looks into, which Java 17 keeps closed otherwise."""


def installed() -> Path:
    """The folder that holds it, or is to."""
    found = re.search(r"<version>([\d.]+)</version>\s*</dependency>", (_SOURCE / "pom.xml").read_text())
    assert found is not None  # noqa: S101 - our own file
    return cache_dir() / f"cassandra-{found[1]}"


def install() -> Path:
    """Download the libraries and compile the main class; returns where they are.

    Raises `UsageError` if a tool is missing, `HarnessError` if it fails.
    """
    maven = tool("mvn", "Install Maven (apt install maven).")
    compiler = tool("javac", "Install a JDK, of Java 11 or 17 (apt install default-jdk-headless).")
    target = installed()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="installing-") as name:
        folder = Path(name) / "cassandra"
        (folder / "classes").mkdir(parents=True)
        (folder / "pom.xml").write_bytes((_SOURCE / "pom.xml").read_bytes())
        carry_out([maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"], folder)
        carry_out([compiler, "-cp", "lib/*", "-d", "classes", str(_SOURCE / f"{_MAIN}.java")], folder)
        folder.rename(target)
    return target


def command(heap_mb: int, properties: Sequence[str]) -> tuple[str, ...]:
    """The argument vector of a node; each property is "name=value"."""
    home = installed()
    packages = [f"{module}/{package}=ALL-UNNAMED" for module, inner in _OPENED.items() for package in inner]
    return (
        "java", f"-Xms{heap_mb}m", f"-Xmx{heap_mb}m", "-Xss512k",
        "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
        *(f"-javaagent:{agent}" for agent in sorted((home / "lib").glob("jamm-*.jar"))),
        *(f"--add-opens={package}" for package in packages), *(f"--add-exports={package}" for package in packages),
        f"-Dlogback.configurationFile={LOGGING}", *(f"-D{name}" for name in properties),
        "-cp", f"{home}/classes:{home}/lib/*", _MAIN,
    )  # fmt: skip
