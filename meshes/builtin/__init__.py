"""The mesh of our own: a sidecar proxy, a control plane, and the snapshot that passes between them."""
