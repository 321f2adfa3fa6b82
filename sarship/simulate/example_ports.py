"""Two simulated ports: a small one for a first look, and one as hard as the real thing to measure on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from shapely.geometry import LineString, Point, Polygon, box

from sarship.simulate.port_plan import Pier, Plan, Yard, jetty, quay

__all__ = ["LARGE_PORT", "SMALL_PORT", "YARD_PORT"]


def _small() -> Plan:
    """Five piers of different headings. The Naval mole is always empty."""
    shore = Polygon([(1_000, -6_500), (1_000, 2_100), (480, 2_930), (250, 6_500), (6_000, 6_500), (6_000, -6_500)])
    wide: dict[str, Any] = {"apart_m": (40.0, 90.0)}
    piers = (
        quay("Coal quay", (1_000.0, -1_950.0), (1_000.0, -1_050.0), 0.4, n_cranes=1, **wide),
        jetty("South jetty", (1_000.0, -450.0), 268.0, (720.0, 50.0), 0.35, **wide),
        jetty("Oil jetty", (1_000.0, 520.0), 305.0, (620.0, 40.0), 0.3, **wide),
        jetty("Naval mole", (1_000.0, 1_550.0), 286.0, (520.0, 40.0), 0.0),
        quay("Container quay", (1_000.0, 2_100.0), (480.0, 2_930.0), 0.45, n_cranes=1, **wide),
    )
    tower = Point(-250.0, -1_500.0)
    return Plan(
        piers=piers,
        land=_land(shore, piers),
        anchorage=box(-2_800.0, -700.0, -700.0, 1_900.0),
        n_anchored=4.0,
        fairways=((-400.0, -2_600.0, 500.0, -1_900.0),),
        n_under_way=0.5,
        fixtures=((tower.x, tower.y, 2_000.0),),
        excluded=tower.buffer(80.0),
        offset_deg=(0.0044, -0.0036),
    )


def _large() -> Plan:
    """Twelve piers, a breakwater, an anchorage, fairways, buoys and a beacon, on eight kilometres by eight."""
    outline = [(1_200, -7_500), (1_200, -2_450), (1_500, -1_750), (1_500, -700), (1_050, -100), (1_050, 900)]
    outline += [(1_250, 1_850), (620, 2_300), (400, 3_000), (300, 7_500), (8_000, 7_500), (8_000, -7_500)]
    mole = LineString([(-600, -2_300), (-350, 900)])
    piers = (
        quay("Coal quay", (1_200.0, -3_380.0), (1_200.0, -2_500.0), 0.9, n_cranes=4, has_cargo=True, usual_m=150.0),
        quay("Ore quay", (1_215.0, -2_415.0), (1_490.0, -1_773.0), 0.4, n_cranes=2, usual_m=160.0),
        jetty("South jetty", (1_500.0, -1_450.0), 262.0, (800.0, 50.0), 0.18, n_cranes=3, has_cargo=True),
        jetty("Ferry pier", (1_500.0, -950.0), 240.0, (350.0, 20.0), 0.2, usual_m=90.0, lengths_m=(40.0, 180.0)),
        quay("Grain quay", (1_480.0, -673.0), (1_070.0, -127.0), 0.3, n_cranes=2),
        jetty("Oil jetty", (1_050.0, 250.0), 285.0, (750.0, 30.0), 0.18, usual_m=150.0),
        _naval("Naval mole", (1_050.0, 700.0), 310.0, (520.0, 35.0)),
        quay("Container quay", (1_052.0, 910.0), (1_248.0, 1_841.0), 0.9, n_cranes=6, has_cargo=True, usual_m=190.0),
        quay("Ro-ro quay", (1_230.0, 1_864.0), (640.0, 2_286.0), 0.35, usual_m=140.0),
        jetty("Fishing pier", (545.0, 2_540.0), 250.0, (260.0, 15.0), 0.12, **_BOATS),
        jetty("Old mole", (430.0, 2_905.0), 275.0, (450.0, 30.0), 0.0),
        _berth_on(mole, "Outer berth"),
    )
    buoys = ((-1_000.0, -2_750.0), (-1_000.0, -3_150.0), (-250.0, -2_700.0), (-700.0, 1_700.0), (-1_300.0, 2_500.0))
    return Plan(
        piers=piers,
        land=_land(Polygon(outline), piers) | {"Breakwater": mole.buffer(20.0, cap_style="square")},
        anchorage=box(-3_300.0, -1_600.0, -1_100.0, 2_100.0),
        n_anchored=6.0,
        fairways=((-3_200.0, -3_300.0, -200.0, -2_600.0), (-3_200.0, 2_500.0, -500.0, 3_300.0)),
        n_under_way=2.0,
        sailing_m_s=(1.0, 8.0),
        fixtures=(*((east, north, 250.0) for east, north in buoys), (-640.0, -2_420.0, 2_000.0), (250.0, 60.0, 700.0)),
        warehouses=_WAREHOUSES,
        land_margin_m=5.0,
        shape=(880, 880),
    )


_BOATS: Final[dict[str, Any]] = {"usual_m": 28.0, "lengths_m": (20.0, 48.0), "rafting": 0.22, "stay": 3.0}
_WAREHOUSES: Final = (
    (1_320.0, -3_200.0, 1_420.0, -2_900.0),
    (1_330.0, -2_800.0, 1_400.0, -2_550.0),
    (1_620.0, -1_700.0, 1_760.0, -1_500.0),
    (1_640.0, -1_250.0, 1_720.0, -1_050.0),
    (1_450.0, -350.0, 1_560.0, -260.0),
    (1_150.0, 330.0, 1_260.0, 560.0),
    (1_420.0, 1_150.0, 1_500.0, 1_700.0),
    (1_050.0, 2_250.0, 1_200.0, 2_380.0),
    (640.0, 2_700.0, 720.0, 2_900.0),
)


def _naval(name: str, root: tuple[float, float], heading_deg: float, size: tuple[float, float]) -> Pier:
    """A mole for warships: they raft, stay long, and one on its far side never leaves."""
    plain = jetty(name, root, heading_deg, size, 0.12, usual_m=85.0, lengths_m=(25.0, 160.0), rafting=0.22, stay=6.0)
    near, far = plain.faces
    return Pier(name, plain.geometry, (near, replace(far, laid_up_m=145.0)))


def _berth_on(mole: LineString, name: str) -> Pier:
    """A berth on the lee side of a breakwater: the water is on its left, going down the mole."""
    west_of = np.array(mole.coords)
    ahead = (west_of[1] - west_of[0]) / mole.length
    lee = np.array([ahead[1], -ahead[0]]) * 20.0
    start, stop = ((west_of[1] - back * ahead + lee).tolist() for back in (500.0, 1_300.0))
    return quay(name, (start[0], start[1]), (stop[0], stop[1]), 0.18, rafting=0.15)


def _land(shore: Polygon, piers: tuple[Pier, ...]) -> dict[str, Polygon]:
    return {"Shore": shore} | {pier.name: pier.geometry for pier in piers if isinstance(pier.geometry, Polygon)}


SMALL_PORT: Final = _small()
"""Seven kilometres by seven with five piers; the light tower is left out by its port file."""

YARD_PORT: Final = replace(
    SMALL_PORT,
    yards=(
        Yard(
            name="Container yard", polygon=box(760.0, 2_640.0, 890.0, 2_770.0), base_db=-14.0, vehicles=(20,) * 5 + (0,)
        ),
    ),
)
"""The same with a yard behind the Container quay, whose twenty vehicles are gone from the sixth date on."""

LARGE_PORT: Final = _large()
"""Twelve piers: some with rafted vessels, some busy four dates in five, one always empty, a warship laid up."""
