"""The providers' stand-in in a process of its own: `python -m bench.stand_in PORT`."""

import sys
import threading

from tests.fakes import models


def main() -> None:
    """Serves until it is ended."""
    models.serve(int(sys.argv[1]))
    threading.Event().wait()


if __name__ == "__main__":
    main()
