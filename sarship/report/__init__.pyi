from sarship.report.editing import edit_port as edit_port
from sarship.report.editing import serve_editor as serve_editor
from sarship.report.page import write_report as write_report
