from sarship.change.detection import PortMasks as PortMasks
from sarship.change.detection import detect_change as detect_change
from sarship.change.detection import port_masks as port_masks
from sarship.change.reference import fit_reference as fit_reference
