from sarship.ais.formats import AisReports as AisReports
from sarship.ais.formats import check_ais as check_ais
from sarship.ais.formats import read_ais as read_ais
from sarship.ais.tables import AIS as AIS
from sarship.ais.tables import AIS_MATCHES as AIS_MATCHES
