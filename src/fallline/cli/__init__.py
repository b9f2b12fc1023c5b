"""The command line: one file a command; each parses, calls and prints, and decides nothing."""

import time

BEGAN = time.time()
"""When the process came here, before anything heavy was imported; see `fallline.cli.timings`."""
