"""Checkpoints: the tables of a scene come back equal, or the scene is searched again."""

import pytest
from builders.tables import make_coverage, make_scenes, make_vessels

from sarship.pipeline.checkpoints import CONTRACTS, digest, has_checkpoint, resume

TABLES = {
    "vessels": make_vessels(("S", "A"), ("S", None)),
    "scenes": make_scenes(("S", "2024-12-01T03:43:00.123457")),
    "coverage": make_coverage(("S", "A", 0.7), ("S", "B", 0.0)),
    "is_simulated": True,
}


class Search:
    """Counts how often it is asked."""

    n_calls = 0

    def __call__(self):
        self.n_calls += 1
        return TABLES


def test_tables_come_back_equal_and_are_not_made_again(tmp_path):
    search = Search()
    tables, is_resumed = resume(tmp_path / "S", "print", search)
    assert tables is TABLES
    assert not is_resumed
    tables, is_resumed = resume(tmp_path / "S", "print", search)
    assert is_resumed
    assert search.n_calls == 1
    assert tables["is_simulated"] is True
    for name in CONTRACTS:
        frame, expected = tables[name], TABLES[name]
        assert frame.drop(columns="geometry").equals(expected.drop(columns="geometry"))
        assert frame.geometry.geom_equals_exact(expected.geometry, 0).all()
    assert [path.name for path in tmp_path.iterdir()] == ["S"]


def test_checkpoint_is_known_by_its_fingerprint(tmp_path):
    assert not has_checkpoint(tmp_path / "S", "print")
    resume(tmp_path / "S", "print", Search())
    assert has_checkpoint(tmp_path / "S", "print")
    assert not has_checkpoint(tmp_path / "S", "other")


def test_another_fingerprint_is_searched_and_replaces_the_first(tmp_path):
    search = Search()
    for fingerprint, n_calls in (("one", 1), ("two", 2), ("two", 2), ("one", 3)):
        resume(tmp_path / "S", fingerprint, search)
        assert search.n_calls == n_calls


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_checkpoint_that_lacks_a_table_is_none(tmp_path, name):
    search = Search()
    resume(tmp_path / "S", "print", search)
    (tmp_path / "S" / f"{name}.parquet").unlink()
    resume(tmp_path / "S", "print", search)
    assert search.n_calls == 2


def test_a_search_that_fails_leaves_nothing(tmp_path):
    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resume(tmp_path / "S", "print", fail)
    assert not list(tmp_path.iterdir())


def test_without_a_place_nothing_is_written():
    search = Search()
    assert resume(None, "print", search) == resume(None, "print", search) == (TABLES, False)
    assert search.n_calls == 2


def test_digests_tell_values_apart():
    assert digest([1, "a"]) == digest((1, "a")) != digest(["a", 1])
