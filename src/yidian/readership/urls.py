from django.urls import path

from . import views

urlpatterns = [path("beacon/views", views.views, name="beacon_views")]
