from sarship.sentinel1.geolocation import ImageGeometry as ImageGeometry
from sarship.sentinel1.product import GrdProduct as GrdProduct
from sarship.sentinel1.product import open_grd as open_grd
from sarship.sentinel1.safe import open_safe as open_safe
from sarship.sentinel1.verify import Finding as Finding
from sarship.sentinel1.verify import check_product as check_product
