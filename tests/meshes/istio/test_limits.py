"""What Istio can't be told is refused instead of measured differently."""

from dataclasses import replace

import pytest

from harness.model.errors import UsageError
from harness.model.mesh import Traffic
from harness.model.policy import Authorization, Breaker, Policies, Retry
from meshes.istio.limits import check
from tests.meshes.istio.arms import EVERY_FEATURE

ALL = frozenset(EVERY_FEATURE)


@pytest.mark.parametrize(
    ("traffic", "said"),
    [
        (Traffic(max_header_bytes=1024), "max_header_bytes 1024 (it has 61440)"),
        (Traffic(max_headers=7), "max_headers 7 (it has 100)"),
        (Traffic(buffer_bytes=32), "buffer_bytes 32 (it has 1048576)"),
        (
            Traffic(policies=Policies(Retry(backoff_base_s=0.1, backoff_most_s=0.3))),
            "backoff_most_s 0.3 (it has 10 times backoff_base_s, 1)",
        ),
        (
            Traffic(policies=Policies(authorization=Authorization("/x*"))),
            "denied_prefix '/x*' (* { } stand for others in its paths)",
        ),
        (Traffic(max_requests=0), "max_requests 0 (to it that is its own default)"),
        (Traffic(policies=Policies(breaker=Breaker(max_pending=0))), "max_pending 0 (to it that is its own default)"),
        (Traffic(policies=Policies(Retry(budget_least=0))), "budget_least 0 (to it that is its own default)"),
    ],
)
def test_a_setting_without_a_field_is_refused(traffic: Traffic, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        check(ALL, traffic)
    assert str(caught.value) == f"mesh 'istio' can't be told {said}: leave these as they are, or leave the arm out"


def test_settings_of_features_that_are_off_are_nobodys_business() -> None:
    check(frozenset(), Traffic(policies=Policies(Retry(backoff_most_s=9), authorization=Authorization("/*"))))


def test_every_setting_in_question_is_named() -> None:
    with pytest.raises(UsageError, match=r"max_headers 1 .*; buffer_bytes 1 "):
        check(frozenset(), replace(Traffic(), max_headers=1, buffer_bytes=1))
