from sarship.geo.earth import cartesian as cartesian
from sarship.geo.earth import geodetic as geodetic
from sarship.geo.earth import geoid_height_m as geoid_height_m
from sarship.geo.lakes import Lake as Lake
from sarship.geo.lakes import lake_at as lake_at
from sarship.geo.local_plane import Plane as Plane
from sarship.geo.local_plane import buffer_m as buffer_m
