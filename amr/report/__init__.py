"""What is told of jobs, tasks and workers: read from the store, and put together for people."""
