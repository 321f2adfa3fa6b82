"""Vessels of one product. Give its path, or a product is simulated."""

import sys
import tempfile

import sarship as ss
from sarship.simulate import simulate_product

with tempfile.TemporaryDirectory() as folder:
    path = sys.argv[1] if len(sys.argv) > 1 else simulate_product(folder)[0]
    product = ss.open_grd(path)
    print(f"{product.scene.id}: {product.shape[0]} x {product.shape[1]} pixels, ENL {product.enl}")
    vessels = ss.find_vessels(ss.detect(product), product)
    print(vessels[["longitude", "latitude", "length_m", "heading_deg", "score"]].round(4).to_string(index=False))
