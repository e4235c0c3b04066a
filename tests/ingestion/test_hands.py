"""What the processes that read files do with a file that is not as it should be."""

import orjson

from kijko.services.ingestion.hands import index_files
from kijko.services.ingestion.parts import Unindexed
from kijko.services.search.inverting import Inverted


def test_a_file_whose_words_cannot_be_indexed_is_told_and_the_others_are_indexed() -> None:
    bad = {"id": "1", "path": "a.py", "language": "python", "chunks": [[7, None, None]]}
    good = {"id": "2", "path": "b.py", "language": "python", "chunks": [[8, "f", "def giraffe(): pass"]]}
    told, made = index_files(orjson.dumps([bad, good]))
    assert isinstance(told, Unindexed)
    assert told.file_id == "1"
    assert told.why
    assert isinstance(made, Inverted)
    assert "giraff" in made.terms
    assert made.numbers == "{8}"
    assert [type(each) for each in index_files(orjson.dumps([bad]))] == [Unindexed]
