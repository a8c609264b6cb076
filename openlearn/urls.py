from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from scheduler.api.health import metrics_text

admin.autodiscover()

# Bookmarks of django-apscheduler's pages, which ours replace.
replaced = [
    path("djangojob/", RedirectView.as_view(pattern_name="admin:scheduler_job_changelist")),
    path("djangojobexecution/", RedirectView.as_view(pattern_name="admin:scheduler_run_changelist")),
]
handler403 = "scheduler.admin.errors.forbidden"
handler404 = "scheduler.admin.errors.not_found"
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/django_apscheduler/", include(replaced)),
    path("admin/", admin.site.urls),
    path("api/v1/scheduler/", include("scheduler.api.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("metrics", metrics_text),
    path("", include("openlearn.scraping.sample.urls")),
]
