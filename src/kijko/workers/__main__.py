"""A worker: `python -m kijko.workers`.

It is what `celery -A kijko.workers.app worker --pool=solo` starts (without gossip, mingle and heartbeat), but for the
13 MB that Celery's command line takes.
"""

import sys

from kijko.workers import app as workers


def main() -> None:
    """Works until it is asked to stop."""
    worker = workers.app.Worker(
        pool_cls="solo", without_gossip=True, without_mingle=True, without_heartbeat=True, loglevel="INFO"
    )
    worker.start()
    sys.exit(worker.exitcode)


if __name__ == "__main__":
    main()
