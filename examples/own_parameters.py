"""Detector parameters: of a product in metres, of a bare array in pixels."""

import sys
import tempfile

import numpy as np

import sarship as ss
from sarship import cfar
from sarship.simulate import simulate_product

with tempfile.TemporaryDirectory() as folder:
    path = sys.argv[1] if len(sys.argv) > 1 else simulate_product(folder)[0]
    product = ss.open_grd(path)
    for pfa in (1e-6, 1e-9, 1e-12):
        params = ss.DetectionParams(pfa=pfa, guard_m=150, training_m=150, min_length_m=20)
        hits = ss.detect(product, params)
        print(f"pfa {pfa:g}: {len(hits)} hits, {len(ss.find_vessels(hits, product, params))} vessels")

sea = np.random.default_rng(0).gamma(4.4, 1 / 4.4, (500, 500)).astype(np.float32)
sea[250, 240:252] = 25.0
print(cfar.detect(sea, cfar.CfarParams(pfa=1e-6, guard=(5, 15), training=(10, 15), enl=4.4)).pixel)
