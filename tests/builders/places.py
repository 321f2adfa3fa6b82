"""Places of a product on the map."""

import numpy as np
import shapely


def on_map(product, area):
    """Image coordinates to longitude and latitude."""
    return shapely.transform(
        shapely.segmentize(area, 8), lambda xy: np.column_stack(product.geometry.to_map(xy[:, 1], xy[:, 0]))
    )
