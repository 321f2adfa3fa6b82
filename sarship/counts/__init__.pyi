from sarship.counts.by_pier import count_by_pier as count_by_pier
from sarship.counts.changes import find_alerts as find_alerts
from sarship.counts.changes import find_changes as find_changes
from sarship.counts.passes import group_passes as group_passes
from sarship.counts.visits import find_traffic as find_traffic
from sarship.counts.visits import find_visits as find_visits
