"""Sentinel-1 GRD products: package, metadata, calibration, geolocation, windows of pixels."""
