"""The network view: a table, a model that trains on it, and what can be seen of both."""
