"""Status, metrics, nodes, tasks and triggers over HTTP."""
