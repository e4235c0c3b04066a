"""Why one file of an upload is not kept, while the others are."""


class Refused(Exception):
    """The text is the sentence for the person who sent the file."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
