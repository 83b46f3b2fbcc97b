"""What is observed beside the load: hops, CPU and memory, machine facts, parity. Probes ask deployments; they start nothing."""
