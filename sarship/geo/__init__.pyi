from sarship.geo.local_plane import Plane as Plane
