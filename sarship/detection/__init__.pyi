from sarship.detection.single_image import coverage as coverage
from sarship.detection.single_image import detect as detect
