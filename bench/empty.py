"""Bare Celery: an empty task that is acknowledged late, for `celery -A bench.empty worker -P prefork -c 2`."""

import os

from celery import Celery

app = Celery("bench", broker=os.environ["BENCH_REDIS_URL"], backend=os.environ["BENCH_REDIS_URL"])
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=16, task_default_queue="bench-empty")


@app.task(name="bench.empty")
def empty() -> None:
    """Nothing."""
