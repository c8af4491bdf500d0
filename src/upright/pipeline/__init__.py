"""Many pictures: fetch → shrink → view → batch → infer → write, in bounded stages; resumable, none lost, none twice."""

from .results_file import ResultsFile, read_rows
from .run import Pipeline, Summary
from .tables import ENDINGS, write_table

__all__ = ["ENDINGS", "Pipeline", "ResultsFile", "Summary", "read_rows", "write_table"]
