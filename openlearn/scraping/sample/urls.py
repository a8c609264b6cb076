"""The sample site and the robots.txt of its host, included at the root of the project's addresses."""

from __future__ import annotations

from django.urls import path, re_path

from openlearn.scraping.sample import views

app_name = "sample"

urlpatterns = [
    path("robots.txt", views.robots, name="robots"),
    path("sample/", views.index, name="index"),
    path("sample/rss.xml", views.rss, name="rss"),
    path("sample/atom.xml", views.atom, name="atom"),
    path("sample/sitemap.xml", views.sitemap, name="sitemap"),
    re_path(r"^sample/(?P<section>lessons|notes|reference)/(?P<slug>[a-z-]+)/$", views.piece, name="piece"),
]
