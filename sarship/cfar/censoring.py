"""Iterative censoring: hits are taken out of the rings, and their neighbourhood is decided again.

An iteration takes every pixel that was a hit in any before it, grown by a pixel, out of all rings. Only pixels whose
rings reach these can change, so only the blocks around them are searched again, on copies of the image as small as a
block with its halo: memory does not grow with the image, and without ships it costs nothing.

`Censor` is the order of things, for the CPU and for a graphics card. On the CPU, in `Surroundings`, the kernels are
those of the first search. A censored pixel is no data to them, though it still wants a
decision of its own: its surroundings are laid beside those of others, like tiles, in an image whose middle line is
searched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from sarship.cfar.jit import ABOVE_ONE, in_order
from sarship.cfar.params import CfarParams
from sarship.cfar.tiles import read_only, work
from sarship.errors import FloodError
from sarship.model import Hits, Window

__all__ = [
    "BLOCK",
    "Censor",
    "Found",
    "Kernel",
    "Place",
    "Surroundings",
    "joined",
    "search_iteratively",
    "selected",
    "wide_lines",
]

BLOCK = 128
"""Lines and pixels of a block on the CPU."""
_AT_ONCE = 32
"""Pixels whose surroundings are laid side by side."""
_NO_SCORES = np.empty((0, 0), np.float32)

I64 = NDArray[np.int64]
Found = tuple[NDArray[Any], ...]
"""Lines and pixels of hits, and what comes with them: clutter and scores on the CPU."""
Place = tuple[int, int, int, int]
"""First line and the one after the last, first pixel and the one after the last."""
Kernel = Callable[..., Found]
"""(part of an image, its mask, place in it, scores to be filled, maximum number of hits) → hits of the place."""
Near = Callable[[list[Window], I64, I64], Found]
"""(blocks, places that are taken out from now on, all places that are) → hits of the blocks."""


def joined(parts: Sequence[Found]) -> Found:
    """Return the hits of several places as one."""
    return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))


def selected(found: Found, which: NDArray[np.bool_]) -> Found:
    """Return some of the hits."""
    return tuple(column[which] for column in found)


def sorted_hits(found: Found, origin: int = 0) -> Hits:
    """Return hits sorted by line then pixel, with lines from `origin` on: lines, pixels, values, clutter and scores."""
    line, pixel, value, clutter, score = found
    # both as one number: sorting by two takes seven times as long
    order = np.argsort(line << 32 | pixel)
    single = np.minimum(score[order], np.finfo(np.float32).max).astype(np.float32)
    return Hits(
        line=line[order] + origin,
        pixel=pixel[order],
        value=value[order],
        clutter=clutter[order],
        # a hit above its threshold by less than float32 resolves is still a hit
        score=np.maximum(single, ABOVE_ONE),
    )


def wide_lines(params: CfarParams, lines: tuple[int, int], n_lines: int) -> tuple[int, int]:
    """Return the lines whose hits decide on some lines: censoring near those depends on hits farther away."""
    more = params.halo - params.outer_shape[0]
    return max(lines[0] - more, 0), min(lines[1] + more, n_lines)


@dataclass(frozen=True, slots=True)
class Censor:
    """An image whose hits are censored."""

    shape: tuple[int, ...]
    """Of the image."""
    lines: tuple[int, int]
    """First line that is decided, and the first that is not."""
    outer: tuple[int, int]
    """Half-widths of the ring's outer rectangle."""
    block: int
    """Lines and pixels of a block."""
    near: Near
    """Search of some blocks; or their scores, and no hits."""

    def search_again(self, found: Found, taken: I64) -> tuple[Found, I64]:
        """Return the hits with those found censored as well, and all censored places; `taken` are those of before.

        Places are line · (pixels of a line) + pixel, sorted. Unchanged where nothing new was found.
        """
        places = found[0] * self.shape[1] + found[1]
        new = np.setdiff1d(places, taken)
        if not new.size:
            return found, taken
        taken = np.union1d(taken, new)
        blocks = self._blocks_near(new)
        again = self.near(blocks, new, taken)
        numbers = np.array([self._number(block.line_start, block.pixel_start) for block in blocks])
        kept = ~np.isin(self._number(found[0], found[1]), numbers)
        return joined([selected(found, kept), again]), taken

    def score_again(self, taken: I64) -> None:
        """Correct the scores near censored places."""
        if taken.size:
            self.near(self._blocks_near(taken), taken, taken)

    def _number(self, line: I64 | int, pixel: I64 | int) -> I64:
        return np.asarray(line // self.block * (self.shape[1] // self.block + 1) + pixel // self.block)

    def _blocks_near(self, places: I64) -> list[Window]:
        """Blocks in whose rings a place, grown by a pixel, may lie."""
        n_pixels = self.shape[1]
        ends = []
        centres = np.divmod(places, n_pixels)
        for centre, outer, low, high in zip(
            centres, self.outer, (self.lines[0], 0), (self.lines[1], n_pixels), strict=True
        ):
            first = np.maximum(centre - outer - 1, low) // self.block
            last = np.minimum(centre + outer + 1, high - 1) // self.block
            ends.append((first, last))
        (top, bottom), (left, right) = ends
        seen = (top <= bottom) & (left <= right)
        top, bottom, left, right = (end[seen] for end in (top, bottom, left, right))
        tall, wide = (int((b - a).max(initial=-1)) + 1 for a, b in ((top, bottom), (left, right)))
        pairs = [
            np.stack([np.minimum(top + down, bottom), np.minimum(left + across, right)])
            for down, across in product(range(tall), range(wide))
        ]
        if not pairs:
            return []
        return [
            Window(
                max(int(row) * self.block, self.lines[0]),
                min((int(row) + 1) * self.block, self.lines[1]),
                int(column) * self.block,
                min((int(column) + 1) * self.block, n_pixels),
            )
            for row, column in np.unique(np.concatenate(pairs, axis=1), axis=1).T
        ]


def search_iteratively(
    censor: Censor, found: Found, params: CfarParams, cap: int, *, is_scored: bool
) -> tuple[Found, I64]:
    """Return the hits of all iterations from those of the first, and all places that the last takes out of the rings.

    Where scores are wanted the last iteration is left to `Censor.score_again`.
    """
    taken = np.empty(0, np.int64)
    for _ in range(params.iterations - 1 - is_scored):
        found, taken = censor.search_again(found, taken)
        if found[0].size > cap:
            raise FloodError.of(cap, censor.shape, params.pfa)
    return found, np.union1d(taken, found[0] * censor.shape[1] + found[1]) if is_scored else taken


@dataclass(frozen=True, slots=True)
class Surroundings:
    """An image on the host, some blocks of which are searched without what is taken out."""

    image: NDArray[np.generic]
    valid: NDArray[np.bool_]
    """Mask of what may be used; empty where all may be."""
    outer: tuple[int, int]
    """Half-widths of the ring's outer rectangle."""
    kernel: Kernel
    scores: NDArray[Any] | None = None
    """Scores to be corrected, if they are wanted."""
    first_line: int = 0
    """First line of the scores."""

    def search(self, blocks: list[Window], _new: I64, taken: I64) -> Found:
        """Hits of some blocks, or their scores."""
        nothing: Found = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0))
        return joined([nothing, *work(lambda block: self._search(block, taken), blocks)])

    def _search(self, block: Window, taken: I64) -> Found:
        """Hits of a block; its scores are put where they belong if they are wanted."""
        (outer_l, outer_p), (height, width) = self.outer, block.shape
        part, known = self._around(block)
        out_of_rings = self._grown(block, taken)
        core = np.s_[outer_l : outer_l + height, outer_p : outer_p + width]
        out = _NO_SCORES
        if self.scores is not None:
            out = self.scores[block.line_start - self.first_line :, block.pixel_start :][:height, :width]
        place = (outer_l, outer_l + height, outer_p, outer_p + width)
        keep = known & ~out_of_rings
        with in_order(out) as room:
            line, pixel, clutter, score = self.kernel(read_only(part), read_only(keep), place, room, part.size)
        parts: list[Found] = [(line - outer_l, pixel - outer_p, clutter, score)]
        points = np.argwhere(out_of_rings[core] & known[core])
        for start in range(0, len(points), _AT_ONCE):
            some = points[start : start + _AT_ONCE]
            parts.append(self._search_points(part, keep, some, out))
        line, pixel, clutter, score = joined(parts)
        return line + block.line_start, pixel + block.pixel_start, clutter, score

    def _search_points(
        self, part: NDArray[np.generic], keep: NDArray[np.bool_], points: I64, out: NDArray[np.float32]
    ) -> Found:
        """Decide single pixels, each on its own surroundings, whether or not it is in the rings of others."""
        outer_l, outer_p = self.outer
        height, width = 2 * outer_l + 1, 2 * outer_p + 1
        mosaics = []
        for array in (part, keep):
            pieces = sliding_window_view(array, (height, width))[points[:, 0], points[:, 1]]
            mosaics.append(np.ascontiguousarray(pieces.transpose(1, 0, 2)).reshape(height, -1))
        image, known = mosaics
        middle = np.arange(len(points)) * width + outer_p
        known[outer_l, middle] = True
        place = (outer_l, outer_l + 1, 0, image.shape[1])
        line_scores = np.empty((1, image.shape[1]) if out.size else (0, 0), np.float32)
        _, pixel, clutter, score = self.kernel(read_only(image), read_only(known), place, line_scores, image.size)
        if out.size:
            out[points[:, 0], points[:, 1]] = line_scores[0, middle]
        wanted = pixel % width == outer_p
        which = pixel[wanted] // width
        return points[which, 0], points[which, 1], clutter[wanted], score[wanted]

    def _around(self, block: Window) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """The image around a block, no data outside it, and where it may be used."""
        (outer_l, outer_p), (n_lines, n_pixels) = self.outer, self.image.shape
        shape = (block.shape[0] + 2 * outer_l, block.shape[1] + 2 * outer_p)
        part, known = np.zeros(shape, self.image.dtype.newbyteorder("=")), np.zeros(shape, np.bool_)
        top, left = block.line_start - outer_l, block.pixel_start - outer_p
        here = np.s_[max(top, 0) : min(top + shape[0], n_lines), max(left, 0) : min(left + shape[1], n_pixels)]
        there = np.s_[here[0].start - top : here[0].stop - top, here[1].start - left : here[1].stop - left]
        part[there] = self.image[here]
        known[there] = self.valid[here] if self.valid.size else True
        return part, known

    def _grown(self, block: Window, taken: I64) -> NDArray[np.bool_]:
        """Mask of censored pixels around a block: the places taken out, grown by a pixel."""
        (outer_l, outer_p), n_pixels = self.outer, self.image.shape[1]
        top, left = block.line_start - outer_l, block.pixel_start - outer_p
        shape = (block.shape[0] + 2 * outer_l, block.shape[1] + 2 * outer_p)
        first, last = np.searchsorted(taken, [(top - 1) * n_pixels, (top + shape[0] + 1) * n_pixels])
        line, pixel = np.divmod(taken[first:last], n_pixels)
        # one pixel more on every side, which growing fills from
        wide = np.zeros((shape[0] + 4, shape[1] + 4), np.bool_)
        line, pixel = line - top + 2, pixel - left + 2
        near = (pixel >= 1) & (pixel < shape[1] + 3)
        for down, across in product((-1, 0, 1), repeat=2):
            wide[line[near] + down, pixel[near] + across] = True
        return np.ascontiguousarray(wide[2:-2, 2:-2])
