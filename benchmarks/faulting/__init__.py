"""Faults on purpose: processes killed, frozen, out of disk, over damaged files; see `benchmarks.faults`."""
