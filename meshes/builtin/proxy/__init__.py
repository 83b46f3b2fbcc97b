"""The data plane: a sidecar for HTTP/1.1 with mutual TLS. Knows its snapshot and nothing else of hoptax.

Bytes to meaning, pure: `fields`, `request`, `response`, `body`, `tls`. Decisions, pure: `failures`, `balancing`, `deadlines`.
Sockets: `downstream`, `upstream`, `cluster`, `server`, `admin`, `control`. Numbers: `telemetry`. How it gets its
configuration: `bootstrap`, `enrolment`, `watch`.
"""
