"""The table's workloads on a GPU: `python -m benchmarks.gpu`."""
