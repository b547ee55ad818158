"""Resources that the server's process uses, for its metrics."""

from __future__ import annotations

import psutil

from faults.plane.descriptors import Descriptors
from faults.plane.metrics import ProcessFigures


def figures(descriptors: Descriptors) -> ProcessFigures:
    with descriptors.reserve(), (process := psutil.Process()).oneshot():
        memory, times = process.memory_info(), process.cpu_times()
        return ProcessFigures(
            cpu_s=times.user + times.system,
            started_s=process.create_time(),
            resident_bytes=memory.rss,
            virtual_bytes=memory.vms,
            open_descriptors=process.num_fds(),
            most_descriptors=descriptors.most,
        )
