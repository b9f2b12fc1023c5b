"""Pictures: figures of what the rest of the house computes."""
