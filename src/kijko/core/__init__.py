"""What knows nothing of the product: the database, errors, logs, jobs, Redis, the clock, cryptography."""
