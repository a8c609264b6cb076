from __future__ import annotations

from scheduler.models import Node
from tests.scenarios.site import Site


class TestACopyInAnotherEnvironment:
    def test_fires_nothing_until_somebody_adopts_it(self, site: Site) -> None:
        site.start_node(SCHEDULER_ENVIRONMENT="production").stop()

        copy = site.launch("--processes", "0", SCHEDULER_ENVIRONMENT="staging")

        assert copy.ended() == 1
        assert "belongs to the environment “production”" in copy.output
        assert "Traceback" not in copy.output
        assert Node.objects.count() == 1
        site.start_node("--adopt-environment", SCHEDULER_ENVIRONMENT="staging").stop()
        site.start_node(SCHEDULER_ENVIRONMENT="staging").stop()
