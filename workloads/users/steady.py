"""Open loop: so many requests a second to one path, whether earlier ones were answered or not.

hoptax load http://127.0.0.1:8080 --users steady
locust -f workloads/users/steady.py --headless -H http://127.0.0.1:8080 -t 30s
"""

from harness.load.locust_adapter import OpenLoopUser


class Steady(OpenLoopUser):
    """Two hundred a second."""

    rate_rps = 200
    path = "/"
