"""Fit the model that says if a group of hits is several vessels (`sarship/vessels/splitting.py`), on real vessels.

`python -m benchmarks.splitting` lays the vessels of OpenSARShip out anew: their own pixels, sea taken away, added to
speckle, alone, bow to stern with gaps of 5 to 60 m, or rafted two and three abreast; seven times in ten lays a quay
along the first of them and searches over what lies beneath, else in open water by a ring; and follows each group of
hits through the splits that tell its true vessels apart. It prints how often a group is told right in five folds
grouped by MMSI, by a model fitted on the other folds and by the model that ships (which has seen the vessels of every
fold, so its lines are not held out), and the model fitted on all of them. Random numbers are seeded, so two runs print
the same; another seed moves the coefficients, so judge a new model by the held-out lines. The chips are looked for in
`$SARSHIP_DATA/opensarship`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import minimize

from benchmarks.opensarship import AT_A_QUAY, CELL_M2, DATA, ENL, SPACING_M, in_box, measured, read_chips, search
from sarship import cfar
from sarship.detection.grouping import group_hits
from sarship.detection.params import DetectionParams
from sarship.detection.sidelobes import stands_out
from sarship.model import Hits
from sarship.vessels import splitting
from sarship.vessels.boxes import HitPlaces, fit_boxes, weigh_hits

Reals = NDArray[np.float64]
Laid = tuple["Ship", float, float]
"""A vessel and its middle, pixels down and across."""
N_FOLDS: Final = 5
KINDS: Final = {"one": 0.3, "bow 2": 0.2, "bow 3": 0.1, "bow 4": 0.1, "raft 2": 0.2, "raft 3": 0.1}
GAPS: Final = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""Between bow and stern, pixels."""
SMOOTH: Final = 1e-4
"""Price of the square of a coefficient, of features scaled to one."""
DEEPEST: Final = 4
"""Splits of splits that are followed."""
AT_QUAYS: Final = 0.7
"""Part of the scenes that lie at a quay and are searched over what is beneath; the others lie in open water."""
OVER_DB: Final = 7.5
"""By how much hits must exceed what lies beneath: the gamma model's threshold at 1e-6 and an ENL of 4.4 is 7.0."""
RESOLUTION_M: Final = 21.0
BLUR: Final = 0.85
"""Deviation of the blur of that resolution, pixels."""
NEAR: Final = 2.5
"""Pixels within which a group's brighter hits come to a vessel's outline, for it to be in the group."""


@dataclass(frozen=True, eq=False)
class Ship:
    """A real vessel's own power."""

    power: Reals
    """sigma0 over the sea's, (line, pixel)."""
    y: float
    x: float
    angle: float
    """Its middle, pixels, and its axis from the lines' direction, radians."""
    length: float
    width: float
    """From AIS, pixels."""
    mmsi: str

    def turned(self, way: int) -> Ship:
        """One of its eight mirror images."""
        power, y, x, angle = self.power, self.y, self.x, self.angle
        if way & 1:
            power, y, angle = power[::-1], power.shape[0] - 1 - y, -angle
        if way & 2:
            power, x, angle = power[:, ::-1], power.shape[1] - 1 - x, -angle
        if way & 4:
            power, y, x, angle = power.T, x, y, np.pi / 2 - angle
        return replace(self, power=power, y=y, x=x, angle=angle % np.pi)


def ships() -> list[Ship]:
    """Every vessel that lies in open water, cut out."""
    found = []
    for chip in read_chips(DATA):
        hits = search(chip)
        if chip.name in AT_A_QUAY or not in_box(chip, hits).any():
            continue
        vessel = measured(chip, hits).vessel
        group = group_hits(hits.line, hits.pixel, (SPACING_M, SPACING_M), DetectionParams().link_m)
        boxes, _ = fit_boxes(weigh_hits(hits, group, (SPACING_M, SPACING_M)))
        own = int(np.argmin(np.hypot(boxes[:, 0] - vessel["line"], boxes[:, 1] - vessel["pixel"])))
        near = np.zeros(chip.sigma0.shape[1:], np.bool_)
        near[hits.line[group == own], hits.pixel[group == own]] = True
        near = ndimage.binary_dilation(near, np.ones((7, 7), np.bool_))
        sigma0 = chip.sigma0[-1]
        sea = np.median(sigma0[~near]) if (~near).any() else np.median(sigma0)
        y, x, angle = boxes[own, :3]
        power = np.where(near, np.maximum(sigma0 - sea, 0), 0)
        found.append(Ship(power, y, x, angle % np.pi, chip.length_m / 10, chip.width_m / 10, chip.mmsi))
    return found


def speckle(shape: tuple[int, int], rng: np.random.Generator) -> Reals:
    """Power of mean one and ENL about 4.4, correlated as GRD products are."""
    total = np.zeros(shape)
    for _ in range(6):
        field = [ndimage.gaussian_filter(rng.normal(size=shape), 0.75) for _ in range(2)]
        total += field[0] ** 2 + field[1] ** 2
    return np.asarray(total / total.mean())


def _chosen(fleet: Sequence[Ship], rng: np.random.Generator) -> tuple[list[Ship], Reals, float]:
    """Vessels of about one heading, the chance to draw each, and that heading."""
    every = [(ship, way) for ship in fleet for way in range(8)]
    first = every[rng.integers(len(every))]
    angle = first[0].turned(first[1]).angle
    alike = [ship.turned(way) for ship, way in every]
    alike = [ship for ship in alike if abs((ship.angle - angle + np.pi / 2) % np.pi - np.pi / 2) < np.radians(6)]
    size = np.log([ship.length for ship in alike])
    often = np.histogram(size, 8)
    number = np.clip(np.digitize(size, often[1]) - 1, 0, 7)
    chance = 1 / often[0][number] ** 0.7
    return alike, chance / chance.sum(), float(angle)


def _add(power: Reals, ship: Ship, spot: Reals) -> None:
    """Add a vessel's power with its middle at a place."""
    y, x = np.rint(spot - [ship.y, ship.x]).astype(int)
    n, m = ship.power.shape
    y0, x0, y1, x1 = max(y, 0), max(x, 0), min(y + n, power.shape[0]), min(x + m, power.shape[1])
    if y1 > y0 and x1 > x0:
        power[y0:y1, x0:x1] += ship.power[y0 - y : y1 - y, x0 - x : x1 - x]


@dataclass(frozen=True, eq=False)
class Case:
    """A group of hits, or a part of one."""

    features: Reals
    kind: int
    """0 for one vessel; else which pair of boxes tells its vessels apart best."""
    is_whole: bool


def _laid(fleet: Sequence[Ship], rng: np.random.Generator) -> list[Laid]:
    """One scene's vessels."""
    alike, chance, angle = _chosen(fleet, rng)
    kind, _, number = str(rng.choice(list(KINDS), p=list(KINDS.values()))).partition(" ")
    n = int(number or 1)
    first = alike[rng.choice(len(alike), p=chance)]
    if kind == "raft":
        alike = [ship for ship in alike if 0.4 < ship.length / first.length < 2.5]
        chance = np.full(len(alike), 1 / len(alike))
    row = [first, *(alike[rng.choice(len(alike), p=chance)] for _ in range(n - 1))]
    ahead, aside, gap = 0.0, 0.0, float(rng.choice(GAPS))
    found: list[Laid] = []
    for before, ship in zip([first, *row], row, strict=False):
        if found and kind == "bow":
            ahead += (before.length + ship.length) / 2 + gap
        elif found:
            aside += (before.width + ship.width) / 2 + rng.uniform(0, 0.6)
            ahead = rng.uniform(-0.15, 0.15) * first.length
        found.append(
            (ship, ahead * np.cos(angle) - aside * np.sin(angle), ahead * np.sin(angle) + aside * np.cos(angle))
        )
    return found


def cases(fleet: Sequence[Ship], n_scenes: int, seed: int) -> list[Case]:
    """Groups and parts of groups of so many scenes."""
    rng = np.random.default_rng(seed)
    return [case for _ in range(n_scenes) for case in _scene(_laid(fleet, rng), rng)]


def _scene(laid: list[Laid], rng: np.random.Generator) -> Iterator[Case]:
    """Draw one scene, search it, and follow its groups."""
    spots = np.array([(y, x) for _, y, x in laid])
    start = spots.min(axis=0) - 75
    shape = (int(np.ptp(spots[:, 0])) + 150, int(np.ptp(spots[:, 1])) + 150)
    image = 10 ** rng.uniform(-2.2, -1.5) * speckle(shape, rng)
    for ship, y, x in laid:
        _add(image, ship, np.array([y, x]) - start)
    if rng.random() < AT_QUAYS:
        hits = _over_quay(image, laid, start, rng)
    else:
        params = cfar.CfarParams(
            pfa=1e-9, guard=20, training=20, enl=ENL, effective_sample_ratio=SPACING_M**2 / CELL_M2
        )
        hits = cfar.detect(image, params)
    if not len(hits):
        return
    hits = replace(hits, sigma0={"VV": hits.value})
    spacing = (SPACING_M, SPACING_M)
    places = weigh_hits(hits, group_hits(hits.line, hits.pixel, spacing, DetectionParams().link_m), spacing)
    boxes, gains = fit_boxes(places)
    outlines = [
        np.array([y - start[0], x - start[1], ship.angle, max(ship.length - 2, 1), max(ship.width, 1)])
        for ship, y, x in laid
    ]
    owner = [_group_of(outline, places) for outline in outlines]
    for k in range(len(boxes)):
        mine = [outline for outline, group in zip(outlines, owner, strict=True) if group == k]
        where = np.arange(places.first[k], places.first[k + 1])
        whole = splitting.Part(where, places.only(where), boxes[k], float(gains[k]), is_whole=True)
        yield from _follow(whole, mine, 0)


def _over_quay(image: Reals, laid: list[Laid], start: Reals, rng: np.random.Generator) -> Hits:
    """Hits over what lies beneath, known as a reference knows it, after a quay along the first vessel is added.

    The quay's edge is at the first vessel's side, give or take half a pixel; rafted ones lie on the other side.
    """
    first, y, x = laid[0]
    beneath = np.full(image.shape, np.median(image))
    down, across = np.indices(image.shape, dtype=np.float64)
    aside = (across - (x - start[1])) * np.cos(first.angle) - (down - (y - start[0])) * np.sin(first.angle)
    texture = 10 ** (ndimage.gaussian_filter(rng.normal(size=image.shape), 1.0) * 2.0)
    quay = np.where(aside < -first.width / 2 + rng.uniform(-0.5, 1.0), 10 ** rng.uniform(0.3, 2.0) * texture, 0.0)
    quay = ndimage.gaussian_filter(quay, BLUR) * np.median(image)
    image += quay * speckle(image.shape, rng)
    beneath += quay
    needed = 10 ** (OVER_DB / 10) * np.where(quay > beneath / 2, 10 ** rng.uniform(0, 0.4), 1.0)
    score = image / beneath / needed
    line, pixel = np.nonzero(score > 1)
    kept = stands_out(
        image[line, pixel][None],
        score[line, pixel][None],
        (line, pixel),
        (np.float64(SPACING_M) * line, np.float64(SPACING_M) * pixel),
        spacing_m=SPACING_M,
        link_m=DetectionParams().link_m,
        resolution_m=(RESOLUTION_M, RESOLUTION_M),
    )
    line, pixel = line[kept], pixel[kept]
    return Hits(
        line=line,
        pixel=pixel,
        value=image[line, pixel],
        clutter=beneath[line, pixel],
        score=score[line, pixel].astype(np.float32),
        sigma0={},
    )


def _group_of(outline: Reals, places: HitPlaces) -> int:
    """The group that a vessel's brighter hits are in; -1 where it shows none."""
    away = np.where(places.weight > 0.25, splitting.outside(places.y, places.x, outline), np.inf)
    nearest = int(np.argmin(away))
    return int(places.group[nearest]) if away[nearest] < NEAR else -1


def _follow(part: splitting.Part, outlines: list[Reals], depth: int) -> Iterator[Case]:
    """The case of a part with so many true vessels, and of its halves where a pair of boxes tells them apart."""
    if (
        not outlines
        or part.box[3] < splitting.MIN_LENGTH_TO_SPLIT
        or part.where.size < splitting.MIN_HITS_TO_SPLIT
        or depth > DEEPEST
    ):
        return
    pairs = splitting.pairs_of(part)
    features = splitting.features(part.box, part.gain, pairs)
    best: tuple[float, int, list[splitting.Part], list[int]] | None = None
    for kind, pair in enumerate(pairs, 1):
        halves = splitting.halves_of(part, pair.boxes) if len(outlines) > 1 else []
        if not halves:
            continue
        side = [
            int(np.argmin([splitting.outside(outline[:1], outline[1:2], half.box)[0] for half in halves]))
            for outline in outlines
        ]
        if len(set(side)) == 2 and (best is None or halves[1].gain > best[0]):
            best = halves[1].gain, kind, halves, side
    if len(outlines) == 1 or best is not None:  # vessels that no pair tells apart teach nothing
        yield Case(features, best[1] if best else 0, part.is_whole)
    if best:
        for k, half in enumerate(best[2]):
            mine = [outline for outline, side in zip(outlines, best[3], strict=True) if side == k]
            yield from _follow(half, mine, depth + 1)


def fit(known: Sequence[Case]) -> Reals:
    """Coefficients of the logistic model of three kinds against one vessel, (3, n_features)."""
    table = np.array([case.features for case in known])
    kind = np.array([case.kind for case in known])
    middle, scale = table.mean(axis=0), table.std(axis=0)
    middle[0], scale[0] = 0.0, 1.0
    table = (table - middle) / scale
    true = np.eye(4)[kind]

    def cost(vector: Reals) -> tuple[float, Reals]:
        model = vector.reshape(-1, 3)
        odds = np.column_stack([np.zeros(len(table)), table @ model])
        odds -= odds.max(axis=1, keepdims=True)
        chance = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
        slope = table.T @ (chance - true)[:, 1:] / len(table)
        price = np.vstack([np.zeros((1, 3)), model[1:]])
        worth = np.log((chance * true).sum(axis=1) + 1e-12).mean()
        return -worth + SMOOTH * (price**2).sum(), (slope + 2 * SMOOTH * price).ravel()

    start = np.zeros(table.shape[1] * 3)
    model = minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": 3_000}).x.reshape(-1, 3)
    model /= scale[:, None]
    model[0] -= middle[1:] @ model[1:]
    return np.asarray(model.T)


def fit_both(known: Sequence[Case]) -> Reals:
    """The models of whole groups and of parts, (2, 3, n_features), as `splitting.COEFFICIENTS` is."""
    return np.array([fit([case for case in known if case.is_whole == is_whole]) for is_whole in (True, False)])


def told(known: Sequence[Case], model: Reals) -> str:
    """How often one vessel is told to be one, and several to be several."""
    parts = []
    for name, is_whole, own in (("groups", True, model[0]), ("parts", False, model[1])):
        mine = [case for case in known if case.is_whole == is_whole]
        odds = np.exp(np.clip(np.array([own @ case.features for case in mine]), -50, 50)).sum(axis=1)
        several = np.array([case.kind > 0 for case in mine])
        right = [f"{(odds[several == kind] > 1).mean():.0%} of {(several == kind).sum()}" for kind in (False, True)]
        parts.append(f"{name}: one cut {right[0]}, several cut {right[1]}")
    return "; ".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the held-out results, and the coefficients."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenes", type=int, default=3_000, help="scenes that a model is fitted to")
    parser.add_argument("--folds", type=int, default=N_FOLDS, help="folds that are held out; 0 to fit only")
    options = parser.parse_args(arguments)
    if not DATA.is_dir():
        print(f"{DATA} is not there: set SARSHIP_DATA to the folder that holds opensarship")
        return 0
    fleet = ships()
    names = sorted({ship.mmsi for ship in fleet})
    order = np.random.default_rng(0).permutation(len(names)) % N_FOLDS
    for k in range(min(options.folds, N_FOLDS)):
        out = {name for name, fold in zip(names, order, strict=True) if fold == k}
        model = fit_both(cases([ship for ship in fleet if ship.mmsi not in out], options.scenes, k))
        unseen = cases([ship for ship in fleet if ship.mmsi in out], options.scenes // 4, 100 + k)
        print(f"fold {k}, shipped (not held out): {told(unseen, splitting.COEFFICIENTS)}")
        print(f"fold {k}, refitted (held out): {told(unseen, model)}", flush=True)
    print(
        "COEFFICIENTS", np.array2string(fit_both(cases(fleet, options.scenes, 1_000)), precision=4, suppress_small=True)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
