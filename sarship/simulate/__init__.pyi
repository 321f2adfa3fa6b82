from sarship.simulate.example_ports import LARGE_PORT as LARGE_PORT
from sarship.simulate.example_ports import SMALL_PORT as SMALL_PORT
from sarship.simulate.fill import fill_product as fill_product
from sarship.simulate.params import ProductParams as ProductParams
from sarship.simulate.port_series import PortSeries as PortSeries
from sarship.simulate.port_series import simulate_port_series as simulate_port_series
from sarship.simulate.product import simulate_product as simulate_product
from sarship.simulate.ships import Vessel as Vessel
