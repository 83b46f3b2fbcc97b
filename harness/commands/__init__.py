"""One module per command: it parses, calls one function of the harness and prints."""
