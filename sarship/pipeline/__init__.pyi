from sarship.pipeline.demo import run_demo as run_demo
from sarship.pipeline.pictures import write_pictures as write_pictures
from sarship.pipeline.results import Results as Results
from sarship.pipeline.results import read_results as read_results
from sarship.pipeline.results import write_results as write_results
from sarship.pipeline.surveys import search as search
from sarship.pipeline.surveys import survey as survey
