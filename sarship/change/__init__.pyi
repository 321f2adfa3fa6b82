from sarship.change.apron_levels import measure_aprons as measure_aprons
from sarship.change.coregistration import measure_shifts as measure_shifts
from sarship.change.detection import PortMasks as PortMasks
from sarship.change.detection import detect_change as detect_change
from sarship.change.detection import port_masks as port_masks
from sarship.change.network_maps import port_maps as port_maps
from sarship.change.port_check import doubtful_piers as doubtful_piers
from sarship.change.reference import fit_reference as fit_reference
