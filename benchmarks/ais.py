"""AIS beside radar: real ships of OpenSARShip, and simulated ports with known truth.

`python -m benchmarks.ais --folder FOLDER` prints the tables, `--write` puts them into docs/ais.md; the
large port takes an hour. The real ships are
looked for in `$SARSHIP_DATA`: each has an AIS report, its pixel in a real image, and the orbit of the image, so that
the place by AIS, displaced by its speed, can be held against the place that the radar shows. Then the AIS of a third of
the ships is hidden at random, to see which are called dark.
"""

from __future__ import annotations

import argparse
import os
import pickle
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.stats import theilslopes

from benchmarks.ais_truth import scores, states_of
from benchmarks.pages import ROOT, write_between
from sarship.ais import match_ais, read_ais
from sarship.ais.assignment import assign, displacement_m, pair_up
from sarship.ais.positions import positions_at
from sarship.geo.local_plane import Plane
from sarship.pipeline import Results, read_results, survey
from sarship.port import Port as PortFile
from sarship.port.port_file import read_port
from sarship.sentinel1.geolocation import ImageGeometry
from sarship.sentinel1.ground_range import GroundRange
from sarship.sentinel1.orbit import Orbit
from sarship.simulate import LARGE_PORT, PortSeries, simulate_ais, simulate_port_series

Reals = NDArray[np.float64]
DATA: Final = Path(os.environ.get("SARSHIP_DATA", Path(__file__).parents[2] / "shared" / "data"))
SETS: Final = {"three scenes": "opensarship", "a fourth, held out": "opensarship_more"}
SEED: Final = 3


class Port(NamedTuple):
    """A simulated port: its name, its plan and passes, and the numbers of those that are jammed and not heard."""

    name: str
    options: dict[str, Any]
    jammed: tuple[int, ...]
    unheard: tuple[int, ...]


PORTS: Final = (
    Port("SMALL_PORT", {"n_dates": 8}, (3,), (5,)),
    Port("LARGE_PORT", {"n_dates": 30, "plan": LARGE_PORT, "tidy": True}, (3, 14), (5, 20)),
)
N_DRAWS: Final = 100
HIDDEN: Final = 1 / 3
MIN_SLOPE: Final = 5
FRESH_S: Final = 90.0
MOVING_KN: Final = 4.0
"""Age and speed of the reports that the displacement is measured with."""


@dataclass(frozen=True, eq=False)
class Scene:
    """Real ships of one image: as the radar shows them, and as AIS has them; row by row the same ships."""

    rows: pd.DataFrame
    reports: pd.DataFrame
    plane: Plane
    time: pd.Timestamp


def read_scenes(folder: Path) -> Iterator[Scene]:
    """Read every scene of a folder; ships whose report has no speed are left out."""
    for scene in sorted(path for path in folder.iterdir() if path.is_dir()):
        (meta,) = (path for path in scene.glob("*.xml") if path.name != "Ship.xml")
        geometry = geometry_of(meta)
        ships = [
            dict(re.findall(r"<(\w+)>([^<]*)", text))
            for text in (scene / "Ship.xml").read_text(errors="replace").split("<ship>")[1:]
        ]
        table = pd.DataFrame(ships).drop_duplicates(["Center_x", "Center_y"])
        number = {name: pd.to_numeric(table[name], errors="coerce").to_numpy(float) for name in _NUMBERS}
        usable = number["Sog"] < 600
        number = {name: values[usable] for name, values in number.items()}
        yield _scene(number, geometry)


_NUMBERS: Final = (
    "Center_x", "Center_y", "Manual_Length", "Time", "Sog", "Cog", "True_Head", "Longitude", "Latitude", "Length",
    "Length_overall", "Nav_Status",
)  # fmt: skip


def _scene(number: dict[str, Reals], geometry: ImageGeometry) -> Scene:
    line, pixel = number["Center_y"], number["Center_x"]
    longitude, latitude = geometry.to_map(line, pixel)
    plane = Plane.around(shapely.MultiPoint(np.column_stack([longitude, latitude])))
    x, y = plane.flatten(longitude, latitude)
    times = pd.DatetimeIndex(geometry.time_at(line)).tz_localize("UTC")
    time = times[len(times) // 2]
    size = line.size
    rows = pd.DataFrame(
        {
            "x": x,
            "y": y,
            "late_s": (times - time).total_seconds(),
            "length_m": number["Manual_Length"],
            "length_error_m": 0.0,
            "incidence_deg": geometry.incidence_deg(line, pixel),
            "flight_deg": geometry.heading_deg(line, pixel),
            "shift_s": geometry.shift_s(line, pixel),
            "detectable_length_m": np.nan,
            "is_anchorage": 0.0,
            "chance": 1.0,
        }
    )
    length = np.where(number["Length"] > 0, number["Length"], number["Length_overall"])
    reports = pd.DataFrame(
        {
            "mmsi": np.arange(size),
            "track": np.arange(size),
            "time": pd.to_datetime(number["Time"], unit="s", utc=True).astype("datetime64[ns, UTC]"),
            "longitude": number["Longitude"],
            "latitude": number["Latitude"],
            "sog_kn": number["Sog"] / 10,
            "cog_deg": np.where(number["Cog"] < 3600, number["Cog"] / 10, np.nan),
            "heading_deg": np.where(number["True_Head"] < 360, number["True_Head"], np.nan),
            "nav_status": number["Nav_Status"],
            "length_m": np.where(length > 0, length, np.nan),
            "width_m": np.nan,
            "name": "",
            "destination": "",
            "is_false": False,
            **dict.fromkeys(("a_m", "b_m", "c_m", "d_m"), np.nan),
        }
    )
    return Scene(rows, reports, plane, time)


def geometry_of(path: Path) -> ImageGeometry:
    """Return the geometry of an image from the metadata that SNAP wrote."""
    root = ET.parse(path).getroot()
    found = root.find("Abstracted_Metadata")
    meta = root if found is None else found
    value = {str(e.get("name")): str(e.get("value")) for e in meta.findall("attrib")}
    first, interval = _time(value["first_line_time"]), float(value["line_time_interval"])

    def after(time: str) -> float:
        return float((_time(time) - first) / np.timedelta64(1, "ns")) * 1e-9

    vectors = [[str(e.get("value")) for e in vector] for vector in meta.find("Orbit_State_Vectors") or ()]
    orbit = Orbit.fit(
        np.array([after(vector[0]) for vector in vectors]),
        np.array([[float(each) for each in vector[1:4]] for vector in vectors]),
    )
    lines, origins, coefficients = [], [], []
    for element in meta.find("SRGR_Coefficients") or ():
        names = {str(e.get("name")): str(e.get("value")) for e in element.findall("attrib")}
        lines.append(after(names["zero_doppler_time"]) / interval)
        origins.append(float(names["ground_range_origin"]))
        coefficients.append([float(str(e[0].get("value"))) for e in element if e.tag.startswith("coefficient")])
    longest = max(map(len, coefficients))
    shape = int(value["num_output_lines"]), int(value["num_samples_per_line"])
    ground = GroundRange(
        lines=np.array(lines),
        origins_m=np.array(origins),
        coefficients=np.array([row + [0.0] * (longest - len(row)) for row in coefficients]),
        spacing_m=float(value["range_spacing"]),
        n_pixels=shape[1],
    )
    return ImageGeometry(
        shape=shape,
        line_spacing_m=float(value["azimuth_spacing"]),
        pixel_spacing_m=float(value["range_spacing"]),
        first_line=first,
        line_interval_s=interval,
        orbit=orbit,
        ground_range=ground,
    )


def _time(text: str) -> np.datetime64:
    return np.datetime64(pd.to_datetime(text, format="%d-%b-%Y %H:%M:%S.%f").isoformat(), "ns")


def residuals(scenes: Sequence[Scene]) -> pd.DataFrame:
    """Return metres along the flight from AIS to radar of ships that move, and the displacement by two formulas."""
    tables = []
    for scene in scenes:
        rows, reports = scene.rows, scene.reports
        own = scene.time + pd.to_timedelta(rows["late_s"], unit="s")
        wait = (own - reports["time"]).dt.total_seconds().to_numpy()
        chosen = (reports["sog_kn"] > MOVING_KN).to_numpy() & (np.abs(wait) < FRESH_S)
        heard = positions_at(reports, scene.time, scene.plane).set_index("track").reindex(reports["track"])
        late, flight = rows["late_s"].to_numpy(), np.radians(rows["flight_deg"].to_numpy())
        dx = rows["x"].to_numpy() - heard["x"].to_numpy() - heard["east"].to_numpy() * late
        dy = rows["y"].to_numpy() - heard["y"].to_numpy() - heard["north"].to_numpy() * late
        view = [rows[name].to_numpy() for name in ("flight_deg", "incidence_deg", "shift_s")]
        motion = heard["east"].to_numpy(float), heard["north"].to_numpy(float)
        moved = displacement_m(*motion, *view)
        table = pd.DataFrame({"along": dx * np.sin(flight) + dy * np.cos(flight), "moved": moved})
        table["no_sine"] = moved / np.sin(np.radians(view[1]))
        tables.append(table[chosen].dropna())
    return pd.concat(tables, ignore_index=True)


def hide(scenes: Sequence[Scene], *, formula: str = "whole", seed: int = 0) -> dict[str, float]:
    """Return the shares of ships matched with their own AIS, with another's, called dark wrongly and rightly."""
    rng = np.random.default_rng(seed)
    sums = dict.fromkeys(("own", "other", "falsely dark", "hidden dark", "hidden matched"), 0)
    ready = []
    for scene in scenes:
        rows, reports = scene.rows, scene.reports
        if formula == "place alone":
            rows = rows.assign(shift_s=np.nan, length_m=np.nan)
            reports = reports.assign(heading_deg=np.nan, length_m=np.nan)
        elif formula == "no sine":
            rows = rows.assign(shift_s=rows["shift_s"] / np.sin(np.radians(rows["incidence_deg"])))
        elif formula == "no length":
            rows = rows.assign(length_m=np.nan)
        heard = positions_at(reports, scene.time, scene.plane)
        ready.append((len(rows), heard["track"].to_numpy(int), pair_up(rows, heard).odds))
    for _ in range(N_DRAWS):
        for size, track, odds in ready:
            kept = rng.random(size) >= HIDDEN
            columns = kept[track]
            chosen = assign(odds[:, columns])
            found = np.where(chosen >= 0, np.append(track[columns], -1)[chosen], -1)
            own = found == np.arange(size)
            for name, chosen_rows in (
                ("own", kept & own),
                ("other", kept & (found >= 0) & ~own),
                ("falsely dark", kept & (found < 0)),
                ("hidden dark", ~kept & (found < 0)),
                ("hidden matched", ~kept & (found >= 0)),
            ):
                sums[name] += int(chosen_rows.sum())
    with_ais = sums["own"] + sums["other"] + sums["falsely dark"]
    hidden = sums["hidden dark"] + sums["hidden matched"]
    shares = {name: sums[name] / with_ais for name in ("own", "other", "falsely dark")}
    return shares | {"hidden dark": sums["hidden dark"] / hidden}


def real_tables() -> str:
    """Return the tables of the real ships as Markdown."""
    lines = ["| ships | moving | not displaced | without sin θ | as here | slope without sin θ | slope as here |"]
    lines.append("|---|--:|--:|--:|--:|--:|--:|")
    sets = {name: list(read_scenes(DATA / folder)) for name, folder in SETS.items() if (DATA / folder).is_dir()}
    for name, scenes in sets.items():
        table = residuals(scenes)
        medians = [
            float((table["along"] - moved).abs().median())
            for moved in (table["moved"] * 0, table["no_sine"], table["moved"])
        ]
        slopes = [_slope(table, each) for each in ("no_sine", "moved")]
        n_ships = sum(len(scene.rows) for scene in scenes)
        figures = [f"{value:.0f} m" for value in medians] + slopes
        lines.append(f"| {name}: {n_ships} | {len(table)} | " + " | ".join(figures) + " |")
    lines += ["", "| ships | matched by | own | another's | falsely dark | hidden: dark |", "|---|---|--:|--:|--:|--:|"]
    for name, scenes in sets.items():
        for formula in ("whole", "no length", "no sine", "place alone"):
            shares = hide(scenes, formula=formula)
            row = " | ".join(f"{shares[key]:.1%}" for key in ("own", "other", "falsely dark", "hidden dark"))
            lines.append(f"| {name} | {_FORMULAS[formula]} | {row} |")
    return "\n".join(lines)


def _slope(table: pd.DataFrame, formula: str) -> str:
    """Return the Theil-Sen slope of the distance against a displacement; a dash for too few ships."""
    return f"{theilslopes(table['along'], table[formula])[0]:.2f}" if len(table) >= MIN_SLOPE else "–"


_FORMULAS: Final = {
    "whole": "all of it",
    "no length": "without lengths",
    "no sine": "displacement without sin θ",
    "place alone": "place alone: no displacement, antenna, length",
}


def surveyed(of: Port, folder: Path) -> tuple[PortSeries, PortFile, Results]:
    """Return the simulated port and its survey, from the folder or made into it."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "series.pickle"
    if not kept.exists():
        made = simulate_port_series(folder / "products", seed=SEED, n_orbits=2, **of.options)
        kept.write_bytes(pickle.dumps(made))
    series: PortSeries = pickle.loads(kept.read_bytes())
    port = read_port(series.port_file)
    if not (folder / "results" / "results.json").exists():
        survey(series.products, port, folder / "results")
    return series, port, read_results(folder / "results")


def simulated_table(folder: Path) -> str:
    """Return the table of simulated ports as Markdown: what each form of file gives."""
    lines = [
        "| port | file | found | precision of dark | recall | F1 | recall of all | own | another's | falsely dark | "
        "dark when deaf |"
    ]
    lines.append("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for of in PORTS:
        lines += _simulated_rows(of, folder / of.name)
    passes = " and ".join(f"{of.options['n_dates']} passes of `{of.name}`" for of in PORTS)
    deaf = " and ".join(f"{len(of.jammed) + len(of.unheard)}" for of in PORTS)
    lines += [
        "",
        f"{passes}, seed {SEED}. *Found*: vessels at piers and anchorages that the",
        "survey found, on the passes when AIS was heard; recall of all has the missed ones too. *Dark when deaf*:",
        f"vessels called dark on the {deaf} other passes.",
    ]
    return "\n".join(lines)


def _simulated_rows(of: Port, folder: Path) -> Iterator[str]:
    series, port, results = surveyed(of, folder)
    period = results.scenes["start"].min(), results.scenes["stop"].max()
    made = simulate_ais(series, folder / "ais", jammed=of.jammed, unheard=of.unheard)
    for form, file in made.files.items():
        matches = match_ais(results, read_ais(file, port.area, period, land=port.land))
        score = scores(states_of(series, results, made, matches), deaf=[*of.jammed, *of.unheard])
        figures = [
            f"{score['n_found']:.0f}",
            *(f"{score[name]:.2f}" for name in ("precision", "recall", "f1", "recall_of_all")),
        ]
        figures += [f"{score[name]:.1%}" for name in ("own", "other", "falsely_dark")]
        yield f"| `{of.name}` | {form} | {' | '.join(figures)} | {score['dark_when_deaf']:.0f} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the tables into docs/ais.md")
    parser.add_argument("--folder", type=Path, help="folder of the simulated ports, made where they are not there")
    options = parser.parse_args(arguments)
    tables: dict[str, Any] = {}
    if any((DATA / folder).is_dir() for folder in SETS.values()):
        tables["ais-real"] = real_tables()
    else:
        print(f"{DATA} is not there: set SARSHIP_DATA to the folder that holds opensarship")
    if options.folder is not None:
        tables["ais-simulated"] = simulated_table(options.folder)
    for name, text in tables.items():
        print(text)
        if options.write:
            write_between(ROOT / "docs" / "ais.md", name, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
