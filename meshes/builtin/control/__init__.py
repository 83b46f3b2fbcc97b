"""The control plane: inputs → one compiled model → outputs. It owns no data but the authority's key, which only helpers read."""
