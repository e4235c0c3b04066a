"""The job edge: Celery carries nudges, one event loop a process does the work, the scheduler sweeps."""
