"""The app whose task the backends of ``django.tasks`` run."""

urlpatterns: list[object] = []
