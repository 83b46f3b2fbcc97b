"""One module or package per mesh; each is found by entry point and imports harness.model only."""
