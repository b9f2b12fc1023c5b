"""The engine: batches, objective, the compiled loop, its history, and the runs it makes."""
