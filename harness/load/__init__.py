"""Load: due times from a schedule alone, an open-loop engine in a process of its own, and the record of every request."""
