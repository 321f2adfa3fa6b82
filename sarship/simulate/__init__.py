"""Seeded seas, ports and vessels with known truth, written as real Sentinel-1 GRD products.

>>> from sarship.simulate import ProductParams, simulate_product
>>> path, truth = simulate_product("out", ProductParams(mode="IW"), n_vessels=5)  # doctest: +SKIP
"""

from sarship.simulate.example_ports import LARGE_PORT, SMALL_PORT
from sarship.simulate.fill import fill_product
from sarship.simulate.params import ProductParams
from sarship.simulate.port_series import Harbour, simulate_harbour
from sarship.simulate.product import simulate_product
from sarship.simulate.ships import Vessel

__all__ = [
    "LARGE_PORT",
    "SMALL_PORT",
    "Harbour",
    "ProductParams",
    "Vessel",
    "fill_product",
    "simulate_harbour",
    "simulate_product",
]
