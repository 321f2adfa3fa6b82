"""Counts of a port over time. Give a port file and products, or a port is simulated."""

import sys
import tempfile

import sarship as ss
from sarship.simulate import simulate_port_series

with tempfile.TemporaryDirectory() as folder:
    simulated = None if len(sys.argv) > 2 else simulate_port_series(f"{folder}/products", n_dates=4)
    port = ss.read_port(simulated.port_file if simulated else sys.argv[1])
    results = ss.survey(simulated.products if simulated else sys.argv[2:], port, f"{folder}/results")
    counts = results.counts
    print(counts["n_vessels"].to_pandas().to_string(na_rep="not seen"))
    print("length of the shortest vessel that would have shown, metres:")
    print(counts["detectable_length_m"].to_pandas().round().to_string(na_rep="not seen"))
