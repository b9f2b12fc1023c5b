"""How much memory there is: free, and in use by this process."""

from __future__ import annotations

import os
from pathlib import Path

_UNLIMITED = 1 << 60


def free_memory(root: Path = Path("/")) -> int:
    """How many bytes of memory may still be taken.

    The smallest of what the system has available, what is left under the limits of the control
    groups that this process is in (version 1 and 2), and what is left under ``ulimit -v``.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    left = [_available(root), *_left_in_groups(root), *_left_of_addresses(root)]
    return max(min(left), 0)


def memory_in_use() -> int:
    """Bytes of memory that this process takes; a guess where no ``/proc`` tells."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration, ValueError):
        return 400 << 20


def _available(root: Path) -> int:
    try:
        told = (root / "proc/meminfo").read_text()
        return (
            next(int(line.split()[1]) for line in told.splitlines() if "MemAvailable" in line)
            * 1024
        )
    except (OSError, StopIteration):
        # No Linux: half of what is built in is a guess on the safe side.
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _left_in_groups(root: Path) -> list[int]:
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    left: list[int] = []
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            mount, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            mount = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # In a container the group's own folder may be the mount itself. A limit binds all below.
        folder = mount / path.strip("/")
        for group in [folder, *folder.parents]:
            found = _left_in(group, *names)
            if found is not None:
                left.append(found)
            if group == mount:
                break
    return left


def _left_in(group: Path, limit: str, used: str, file: str) -> int | None:
    """What is left in one group; None where nothing limits it."""
    try:
        most = (group / limit).read_text().strip()
        if most == "max" or int(most) >= _UNLIMITED:
            return None
        taken = int((group / used).read_text())
        # Pages of files that were read are given back at once when memory is short.
        told = (group / "memory.stat").read_text()
        stats = dict(line.split(maxsplit=1) for line in told.splitlines())
        return int(most) - taken + int(stats.get(file, 0))
    except (OSError, ValueError):
        return None


def _left_of_addresses(root: Path) -> list[int]:
    try:
        import resource

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        if most in (resource.RLIM_INFINITY, -1):
            return []
        pages = int((root / "proc/self/statm").read_text().split()[0])
    except (ImportError, OSError, ValueError):
        return []
    return [most - pages * os.sysconf("SC_PAGE_SIZE")]
