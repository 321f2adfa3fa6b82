"""A port's series in ten lines: give a port file and products, or a simulated port is made."""

import sys
import tempfile

import sarship as ss
from sarship.simulate import simulate_port_series

with tempfile.TemporaryDirectory() as folder:
    made_up = None if len(sys.argv) > 2 else simulate_port_series(f"{folder}/products", n_dates=4)
    port = ss.read_port(made_up.port_file if made_up else sys.argv[1])
    results = ss.survey(made_up.products if made_up else sys.argv[2:], port, f"{folder}/results")
    counts = results.counts
    print(counts["n_vessels"].to_pandas().to_string(na_rep="not seen"))
    print("shortest vessel that would show, metres:")
    print(counts["detectable_length_m"].to_pandas().round().to_string(na_rep="not seen"))
