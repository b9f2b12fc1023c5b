"""The doctor: why a run converges, stalls or blows up, with evidence and a fix that is tried."""
