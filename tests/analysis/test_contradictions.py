"""Reports that cannot both be right, and those that only seem so."""

import pytest
from builders.tables import PIERS

from sarship.analysis import find_contradictions, read_observations

DAY = "2025-01-22"


def contradict(tmp_path, one, other):
    """True if two reports, (time, where, what, vessel, value, least length), contradict each other."""
    path = tmp_path / "reports.csv"
    rows = "\n".join(",".join(row) for row in (("one", *one), ("other", *other)))
    path.write_text(f"id,time,where,what,vessel,value,least_length_m\n{rows}\n")
    found = find_contradictions(read_observations(path, PIERS))
    assert found <= {("one", "other")}
    return bool(found)


def seen(value, time=DAY, where="A", vessel="", length=""):
    return time, where, "vessels", vessel, value, length


def moved(what, time, vessel="Sparta"):
    return time, "port", what, vessel, "", ""


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (seen("3"), seen("5"), True),
        (seen("3-5"), seen("5-6"), False),
        (seen("3"), seen("5", time="2025-01-23"), False),
        (seen("3", time="2025-01-22T10:00Z"), seen("5", time="2025-01-22T12:30Z"), True),
        (seen("3", time="2025-01-22T10:00Z"), seen("5", time="2025-01-22T14:00Z"), False),
        (seen("3", time="2025-01-22T00:00Z"), seen("5", time="2025-01-21"), True),  # the end of a day is in it
        (seen("3"), seen("5", where="B"), False),
        (seen("3"), seen("2", where="port"), True),  # more at a pier than in the whole port
        (seen("1"), seen("2", where="port"), False),
        (seen("1", vessel="Sparta"), seen("0"), True),
        (seen("1", vessel="Sparta"), seen("4"), False),
        (seen("0", vessel="Sparta"), seen("1", vessel="Sparta II"), False),
        (seen("2", length="100"), seen("5", length="20"), False),
        (seen("5", length="100"), seen("2", length="20"), True),
        (moved("left", "2025-01-21"), seen("1", where="port", vessel="Sparta"), True),
        (moved("left", "2025-01-19"), seen("1", where="port", vessel="Sparta"), False),
        (moved("arrived", "2025-01-22"), seen("1", where="port", vessel="Sparta", time="2025-01-21"), True),
        (moved("arrived", "2025-01-20"), moved("left", "2025-01-21"), True),
        (moved("arrived", "2025-01-20"), moved("left", "2025-01-23"), False),
        (moved("left", "2025-01-21", vessel=""), seen("1", where="port"), False),
        ((DAY, "yard", "apron", "", "full", ""), (DAY, "yard", "apron", "", "empty", ""), True),
        ((DAY, "yard", "apron", "", "some", ""), (DAY, "yard", "apron", "", "empty", ""), False),
        ((DAY, "port", "ais", "Sparta", "", ""), seen("0", vessel="Sparta"), False),
    ],
)
def test_two_reports(tmp_path, one, other, expected):
    assert contradict(tmp_path, one, other) is contradict(tmp_path, other, one) is expected
