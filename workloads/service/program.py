"""How plans name the fan-out service."""

from harness.model.program import Program

PROGRAM = Program(name="fanout-service", module="workloads.service")
