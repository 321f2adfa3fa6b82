from sarship.download.addresses import public_url as public_url
from sarship.download.fetch import fetch_file as fetch_file
from sarship.download.fetch import fetch_files as fetch_files
from sarship.download.request import FileRequest as FileRequest
from sarship.download.request import Progress as Progress
from sarship.download.request import RetryPolicy as RetryPolicy
