from sarship.sentinel1.product import GrdProduct as GrdProduct
from sarship.sentinel1.product import open_grd as open_grd
