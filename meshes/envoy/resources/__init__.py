"""What one Envoy is told, as JSON-able values made of a compiled snapshot: the same functions serve a static file and xDS. Pure."""
