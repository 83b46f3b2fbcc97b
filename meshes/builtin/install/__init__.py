"""Installation of the mesh in a cluster: manifests, and the command that applies them."""
