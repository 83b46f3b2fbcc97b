"""What starts plans: processes on loopback now, Kubernetes later. Nothing else starts, places or ends a unit."""
