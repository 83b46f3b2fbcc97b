"""HTTP/1.1 of the instrument, shared by engine and fan-out service; the built-in proxy has its own, so they never share a bug."""
