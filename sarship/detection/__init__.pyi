from sarship.detection.grouping import group_hits as group_hits
from sarship.detection.params import DetectionParams as DetectionParams
from sarship.detection.seen import coverage as coverage
from sarship.detection.seen import shortest_vessel_m as shortest_vessel_m
from sarship.detection.sidelobes import sidelobes_of as sidelobes_of
from sarship.detection.single_image import detect as detect
