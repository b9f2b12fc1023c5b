"""Fallline beside its peers: ratios from one run, interleaved, medians of several rounds."""
