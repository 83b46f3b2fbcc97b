"""The instrument: it knows no mesh, topology or workload by name."""
