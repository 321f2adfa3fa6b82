from sarship.vessels.assign import assign_piers as assign_piers
from sarship.vessels.find import find_vessels as find_vessels
from sarship.vessels.flags import flag_ambiguities as flag_ambiguities
from sarship.vessels.flags import flag_lasting as flag_lasting
