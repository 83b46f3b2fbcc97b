"""What is run: topologies, experiments, Locust users and the fan-out service. Imports only harness.wire and harness.model; users import Locust and its adapter."""
