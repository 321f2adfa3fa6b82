from sarship.analysis.agreement import Agreement as Agreement
from sarship.analysis.agreement import compare_observations as compare_observations
from sarship.analysis.aprons import find_apron_changes as find_apron_changes
from sarship.analysis.aprons import find_fill as find_fill
from sarship.analysis.aprons import judge_aprons as judge_aprons
from sarship.analysis.contradictions import find_contradictions as find_contradictions
from sarship.analysis.observations import read_observations as read_observations
