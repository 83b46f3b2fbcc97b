"""The fan-out service: one program for every node of a topology. It imports nothing heavy, since every replica is a process."""
