"""Work shared out: handed over in order, done again where it failed, and the same files as of one process."""

import multiprocessing
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from threading import Event

import numpy as np
import pytest

from sarship import survey
from sarship.errors import ProductWarning
from sarship.pipeline import shared_work
from sarship.pipeline.shared_work import NO_HELPERS, Helpers

ITEMS = {key: number for number, key in enumerate("abcdefghij")}


def times(common, item):
    return common * item


def odd_fails(common, item):
    if item % 2:
        raise ValueError(item)
    return common * item


def in_turn(shared):
    return {key: shared(key) for key in ITEMS}


def test_every_answer_is_that_of_its_key_whoever_found_it():
    with ThreadPoolExecutor(2) as pool:
        found = in_turn(Helpers(pool.submit, 2).share_out(times, 3, ITEMS))
    assert found["a"] == 0
    assert all(answer in {None, 3 * ITEMS[key]} for key, answer in found.items())


def test_while_a_helper_works_the_others_are_done_here():
    done, here = Event(), []

    def call(item):
        here.append(item)
        if len(here) == len(ITEMS) - 1:
            done.set()
        return shared_work._heard(times, 3, item)

    def slow(item):
        assert done.wait(60)
        return shared_work._heard(times, 3, item)

    with ThreadPoolExecutor(1) as pool:
        shared = shared_work._Shared(call, lambda item: pool.submit(slow, item), ITEMS)
        shared.give_next()
        assert shared("a") == 0
        assert here == [*range(1, len(ITEMS))]
        assert in_turn(shared) == {key: times(3, item) for key, item in ITEMS.items()}


@pytest.mark.parametrize("helpers", [NO_HELPERS, Helpers(None, 0)], ids=["none", "no one"])
def test_nothing_is_shared_without_helpers(helpers):
    assert set(in_turn(helpers.share_out(times, 3, ITEMS)).values()) == {None}


def test_too_few_are_not_shared():
    few = dict(list(ITEMS.items())[: shared_work.MIN_SHARED - 1])
    assert Helpers(pytest.fail, 1).share_out(times, 3, few)("a") is None


def test_what_failed_is_left_to_its_turn():
    with ThreadPoolExecutor(1) as pool:
        found = in_turn(Helpers(pool.submit, 1).share_out(odd_fails, 3, ITEMS))
    assert {key for key, answer in found.items() if answer is not None} <= {"a", "c", "e", "g", "i"}


def test_a_helper_that_is_killed_leaves_all_to_this_process():
    calls = []

    def submit(*given):
        calls.append(given)
        if len(calls) > 1:
            raise BrokenProcessPool
        future = Future()
        future.set_exception(BrokenProcessPool())
        return future

    assert set(in_turn(Helpers(submit, 1).share_out(times, 3, ITEMS)).values()) == {None}
    assert len(calls) == 2


def dark(common, item):
    warnings.warn(f"{common} {item}", ProductWarning, stacklevel=1)
    warnings.warn("old", DeprecationWarning, stacklevel=1)
    return item


def test_warnings_about_products_come_in_the_turn_of_their_scene():
    done = Future()
    shared = Helpers(lambda function, *given: done, 1).share_out(dark, "dark", ITEMS)
    done.set_result(shared_work._heard(dark, "dark", 0))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        assert shared("a") == 0
    assert [str(each.message) for each in heard] == ["dark 0"]


def content(folder):
    kinds = "scenes", "stack", "references", "second_pass"
    return {
        path.relative_to(folder): path.read_bytes()
        for kind in kinds
        for path in (folder / kind).rglob("*")
        if path.is_file()
    }


def test_two_processes_leave_what_one_leaves_however_often_they_were_interrupted(
    harbour, harbour_survey, tmp_path, monkeypatch
):
    """Also a twin is left out and a product that is none is told, as they are without helpers."""
    monkeypatch.setattr(shared_work, "MIN_SHARED", 2)
    folder, port, results = harbour_survey
    given = [*harbour.products, tmp_path / "none.SAFE"]
    steps = []

    def interrupt(step):
        steps.append(step)
        if len([each for each in steps if each.state != "searching"]) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        survey(given, port, tmp_path / "out", n_workers=2, progress=interrupt)
    assert not multiprocessing.active_children()
    steps.clear()
    again = survey(given, port, tmp_path / "out", n_workers=2, progress=steps.append)
    assert not multiprocessing.active_children()
    assert content(tmp_path / "out") == content(folder)
    assert [step.done for step in steps if step.state in {"checkpoint", "searched", "twin", "failed"}] == [
        *range(1, len(given) + 1)
    ]
    assert [failure.path for failure in again.failures] == [str(given[-1])]
    np.testing.assert_array_equal(again.counts["n_vessels"], results.counts["n_vessels"])
