"""The oracle: truths known beforehand that the instrument must find on this machine, or it says so."""
