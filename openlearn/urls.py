from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from scheduler.api.health import metrics_text

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/v1/scheduler/", include("scheduler.api.urls")),
    path("metrics", metrics_text),
    path("", include("openlearn.scraping.sample.urls")),
]
