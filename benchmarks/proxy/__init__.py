"""The built-in sidecar against Envoy: two sidecars in the way, both sides in one run, interleaved."""
