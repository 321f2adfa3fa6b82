from sarship.detection.params import DetectionParams as DetectionParams
from sarship.detection.seen import coverage as coverage
from sarship.detection.seen import shortest_vessel_m as shortest_vessel_m
from sarship.detection.single_image import detect as detect
