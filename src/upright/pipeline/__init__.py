"""Many pictures: fetch → shrink → view → batch → infer → write, in bounded stages; resumable, none lost, none twice."""

from .results_file import ResultsFile, read_rows
from .rows import row_from_dict, row_to_dict
from .run import Pipeline, Summary
from .tables import ENDINGS, write_table

__all__ = ["ENDINGS", "Pipeline", "ResultsFile", "Summary", "read_rows", "row_from_dict", "row_to_dict", "write_table"]
