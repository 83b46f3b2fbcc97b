"""Locustfiles: users as loads. Each also runs with plain `locust -f`."""
