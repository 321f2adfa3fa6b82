from sarship.download.fetch import FileRequest as FileRequest
from sarship.download.fetch import fetch_file as fetch_file
from sarship.download.fetch import fetch_files as fetch_files
from sarship.download.http import RetryPolicy as RetryPolicy
