"""Tokens: asked for once, renewed in time, and refused when they are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sarship.catalog import tokens as shared
from sarship.catalog.tokens import Grant, Tokens, share_turns, turns
from sarship.errors import CatalogError


@pytest.fixture
def clock(monkeypatch):
    """Seconds that went by."""
    gone = [0.0]

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=gone[0])

    monkeypatch.setattr("sarship.catalog.tokens.datetime", Clock)
    return gone


@pytest.mark.parametrize(("life_s", "renewed_s"), [(3600, 3300), (600, 400), (60, 40), (3, 2)])
@pytest.mark.parametrize("kind", [float, str, lambda life: f"{datetime(2026, 1, 1) + timedelta(seconds=life)}"])
def test_token_lasts_until_five_minutes_or_a_third_of_its_life_are_left(clock, life_s, renewed_s, kind):
    given = []

    def ask(_address, refresh):
        assert refresh == (f"refresh {len(given) - 1}" if given else "")
        given.append(f"token {len(given)}")
        return Grant(given[-1], kind(life_s), f"refresh {len(given) - 1}")

    tokens = Tokens(ask, "https://example.org/token")
    assert tokens.current() == "token 0"
    clock[0] = renewed_s - 0.5
    assert tokens.header() == {"Authorization": "Bearer token 0"}
    clock[0] = renewed_s + 0.5
    assert tokens.current() == "token 1"
    assert tokens.current(renew=True) == "token 2"


@pytest.mark.parametrize(
    "told", [(None, 600), ("", 600), (7, 600), ("t", None), ("t", "soon"), ("t", float("inf")), ("t", float("nan"))]
)
def test_token_that_is_none_is_one_sentence(told):
    with pytest.raises(CatalogError, match=r"^https://example.org/token gives no token to read with") as caught:
        Tokens(lambda *_: Grant(*told), "https://example.org/token?key=PLANTED").current()
    assert caught.value.catalog == "https://example.org/token"


@pytest.mark.parametrize(("n_processes", "n_turns"), [(1, 8), (2, 4), (3, 2), (8, 1), (50, 1)])
def test_processes_share_the_turns_at_a_store(monkeypatch, n_processes, n_turns):
    monkeypatch.setattr(shared, "_N_PROCESSES", [1])
    share_turns(n_processes)
    here = turns(object(), 8)
    assert [here.acquire(blocking=False) for _ in range(n_turns + 1)] == [True] * n_turns + [False]
