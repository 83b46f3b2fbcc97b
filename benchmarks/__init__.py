"""Measurements of hoptax itself: each compares two sides in one interleaved run and prints intervals."""
