"""What it takes to answer many people from one process: settings, limits, one queue, a log of requests, metrics."""
