"""The values and protocols that every part shares: no I/O, and no import of anything else of ours."""
