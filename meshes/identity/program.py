"""How plans name the issuer."""

from harness.model.plan import Issuer
from harness.model.program import Program

PROGRAM = Program(name="hoptax-identity", module="meshes.identity")
ISSUER = Issuer(PROGRAM)
