"""The Earth: ellipsoid, geoid, local planes, polygons across the antimeridian."""
