"""What can be observed from outside: every log event, every metric, and the server that exports the metrics."""
