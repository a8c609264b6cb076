"""Node processes on a server of their own, for benchmarks. As an app it has the tasks that they run."""

urlpatterns: list[object] = []
