"""Configures a Cassandra node before each start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from harness.node.context import NodeSpec

_TOKENS: Final = -(2**63)
_TIMEOUT: Final = "800ms"


def setup(spec: NodeSpec) -> Sequence[str]:
    """Write `cassandra.yaml`, as JSON, which is YAML; returns no arguments, because none are needed."""
    names = sorted([spec.name, *spec.peers])
    ports = {peer: port for peer, (_, port) in spec.peers.items()} | {spec.name: spec.internal_port}
    step = 2**64 // len(names)
    settings = {
        "cluster_name": "harness",
        "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
        "num_tokens": 1,
        "initial_token": str(_TOKENS + step * names.index(spec.name)),
        "auto_bootstrap": False,
        "endpoint_snitch": "RackInferringSnitch",  # at ONE a node answers from its own data
        "dynamic_snitch": False,
        "seed_provider": [
            {
                "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                "parameters": [{"seeds": ",".join(f"{spec.host}:{ports[name]}" for name in names)}],
            }
        ],
        "listen_address": spec.host,
        "storage_port": spec.internal_port,
        "rpc_address": spec.host,
        "native_transport_port": spec.port,
        "data_file_directories": [f"{spec.data}/data"],
        "commitlog_directory": f"{spec.data}/commitlog",
        "saved_caches_directory": f"{spec.data}/saved_caches",
        "hints_directory": f"{spec.data}/hints",
        "cdc_raw_directory": f"{spec.data}/cdc_raw",
        "commitlog_sync": "periodic",
        "commitlog_sync_period": "1000ms",
        "commitlog_segment_size": "4MiB",
        "commitlog_total_space": "64MiB",
        "read_request_timeout": _TIMEOUT,
        "write_request_timeout": _TIMEOUT,
        "cas_contention_timeout": _TIMEOUT,
        "request_timeout": "5s",
        "hinted_handoff_enabled": True,
        "hints_flush_period": "500ms",
    }
    Path("cassandra.yaml").write_bytes(msgspec.json.encode(settings))
    return []
