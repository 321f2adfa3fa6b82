"""One search on a graphics card: its image, rule, thresholds and room for results, as kernels take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sarship.cfar.cpu import log_levels
from sarship.cfar.device import Device, device_of, is_on_device
from sarship.cfar.goca_soca_os import order_table, side_table
from sarship.cfar.gpu.arguments import Catch, Mode, Pixels, RingShape, Thresholds, TwoParameterModel
from sarship.cfar.gpu.rule import Rule
from sarship.cfar.gpu.rules_float import gamma_float, gaussian_float
from sarship.cfar.gpu.rules_goca_os import goca_soca_rule, os_rule
from sarship.cfar.gpu.rules_integer import GAMMA_NUMBER, MOMENTS, SHARP_MOMENTS
from sarship.cfar.k_distribution import ring_surface
from sarship.cfar.params import CfarParams
from sarship.cfar.thresholds import ring_table

__all__ = ["BLOCK", "NOWHERE", "Job", "new_catch", "new_job"]

_ROOM = 3 << 18
"""Found pixels that there is room for at once; where there are more the work is done in two halves."""
BLOCK = 32
"""Lines and pixels of a block that is searched again."""
NOWHERE = int(np.iinfo(np.uint64).max)
"""Place of no pixel."""
_WIDE_RING = 1 << 15
"""Minimum size of a ring whose sum may differ by 2⁴⁷ between two pixels, too much to pass over chunks by it."""
_MANY_SQUARES = 1 << 12
"""Minimum size of a ring whose squares of 26-bit levels, those of ln digital numbers, may overflow 64 bits."""
_SQUARE_LEVELS = np.arange(1 << 16, dtype=np.uint32) ** 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One image to search, and everything for it that is on the device."""

    device: Device
    rule: Rule
    mode: Mode
    params: CfarParams
    pixels: Pixels
    """The whole image."""
    is_masked: bool
    ring_shape: RingShape
    thresholds: Thresholds
    levels: Any
    """Level of every digital number, for rules that take levels."""
    room: int
    """Found pixels that there is room for at once."""
    out: Any
    """Image of scores or booleans, for kernels."""
    out_line: int
    """Line of the image where `out` begins."""
    origin: int
    """Line of a larger image where this one begins, for messages."""


def new_job(image: Any, valid: Any, params: CfarParams, cap: int, out: Any, out_line: int, origin: int) -> Job:
    """Bring to the device what a search needs besides the image."""
    device = device_of(image)
    mode: Mode = "search" if out is None else "mask" if out.dtype == np.bool_ else "score"
    is_masked = is_on_device(valid) or valid.size > 0
    if is_masked and not is_on_device(valid):
        valid = device.from_host(np.ascontiguousarray(valid))
    rule = _rule(np.dtype(image.dtype), params, is_search=mode == "search")
    empty, is_iterated = device.empty((1, 1), np.bool_), params.iterations > 1
    n_bits = (image.shape[0], -(-image.shape[1] // 32)) if is_iterated else (1, 1)
    levels = _SQUARE_LEVELS if params.clutter_model == "gaussian" else log_levels.LN_LEVELS.astype(np.uint32)
    censored = device.view(device.zeros(n_bits, np.uint32))
    return Job(
        device=device,
        rule=rule,
        mode=mode,
        params=params,
        pixels=Pixels(device.view(image), device.view(valid if is_masked else empty), censored, 0),
        is_masked=is_masked,
        ring_shape=RingShape(*params.outer_shape, *params.guard_shape),
        thresholds=_thresholds(device, params),
        levels=device.view(device.from_host(levels if rule.takes_levels else levels[:1])),
        room=max(min(cap + 1, _ROOM), image.shape[1], BLOCK**2 * is_iterated) if mode == "search" else 1,
        out=device.view(empty if out is None else out),
        out_line=out_line,
        origin=origin,
    )


def _rule(dtype: np.dtype[Any], params: CfarParams, *, is_search: bool) -> Rule:
    kind: Any = dtype.type
    clutter_model, is_number = params.clutter_model, dtype.kind == "u"
    if params.average == "os":
        return os_rule(kind, is_search)
    if params.average != "ca":
        return goca_soca_rule(kind, params.average == "goca")
    if clutter_model == "gamma" or (clutter_model == "k" and params.clutter_shape is not None):
        return GAMMA_NUMBER if is_number else gamma_float(kind)
    if clutter_model == "gaussian" and not is_number:
        return gaussian_float(kind)
    is_small = clutter_model != "gaussian" and is_number and params.ring_size < _MANY_SQUARES
    return MOMENTS if is_small else SHARP_MOMENTS


def _thresholds(device: Device, params: CfarParams) -> Thresholds:
    """Bring the tables of the clutter model and average to the device."""
    bounds = ring_surface(params)
    scale = 0.0 if params.clutter_model == "gaussian" else log_levels.LN_SCALE
    model = TwoParameterModel(scale, bounds.least * scale, bounds.variance * scale**2, bounds.steps)
    *tables, min_factor = _tables(params)
    table, surface = (device.view(device.from_host(np.array(values))) for values in tables)
    return Thresholds(table, surface, min_factor, model)


def _tables(params: CfarParams) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return `table`, `surface` and `min_factor` of `Thresholds`."""
    if params.average == "os":
        factor, order, _ = order_table(params)
        return factor, order[None].astype(np.float64), 0.0
    if params.average != "ca":
        return np.array([params.min_ring], np.float64), side_table(params), 0.0
    factors, entries = ring_table(params), ring_surface(params).entries
    min_factor = float(factors[-1]) if params.ring_size < _WIDE_RING else 0.0
    return factors, entries if entries.size else np.zeros((1, 1)), min_factor


def new_catch(job: Job, room: int) -> Catch:
    """Make room for so many found pixels."""
    return Catch(
        tally=job.device.from_host(np.array([0, NOWHERE], np.uint64)),
        places=job.device.empty((room, 3), np.int64),
        words=job.device.empty((room, 3), job.rule.word),
        out=job.out,
        out_line=job.out_line,
    )
