"""Time along a drawing of the page, which is 1,000 units wide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

__all__ = ["TimeAxis"]

RIGHT: Final = 985.0
"""Right end of the axis."""
N_TICKS: Final = 6


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """A period from the left end of the axis to the right one."""

    first: pd.Timestamp
    span: pd.Timedelta
    left: float

    @classmethod
    def of(cls, times: pd.DatetimeIndex, left: float) -> TimeAxis:
        """Return the axis of some times, one at least; it is a day long at least."""
        return cls(times.min(), max(times.max() - times.min(), pd.Timedelta(1, "D")), left)

    def place(self, time: pd.Timestamp) -> float:
        """Return where a time lies."""
        return round(self.left + (RIGHT - self.left) * float((time - self.first) / self.span), 1)

    def ticks(self) -> list[dict[str, Any]]:
        """Return even ticks, with their dates."""
        times = [self.first + self.span * share for share in np.linspace(0, 1, N_TICKS)]
        return [{"x": self.place(time), "label": f"{time:%Y-%m-%d}"} for time in times]
