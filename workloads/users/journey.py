"""Closed loop: someone looks at a page, opens two things on it, and now and then buys one, with a little thought between.

hoptax load http://127.0.0.1:8080 --users journey --connections 20
locust -f workloads/users/journey.py --headless -H http://127.0.0.1:8080 -u 20 -t 30s
"""

from locust import FastHttpUser, between, task


class Shopper(FastHttpUser):
    """One of many; each waits for an answer before going on."""

    wait_time = between(0.05, 0.15)

    @task(3)
    def browse(self) -> None:
        """A page and two things on it."""
        self.client.get("/", name="home")
        for number in (1, 2):
            self.client.get(f"/items/{number}", name="item")

    @task
    def buy(self) -> None:
        """A form with a body."""
        self.client.post("/orders", json={"item": 1, "quantity": 2}, name="order")
