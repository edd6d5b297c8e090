"""The one receiver: Wagtail says published or unpublished, or content is deleted, and `after_change` follows."""

from django.db.models.signals import post_delete, pre_delete
from django.dispatch import receiver
from wagtail.signals import published, unpublished

from yidian.editorial.actions import after_change
from yidian.evidence.models import Source
from yidian.publication.models import Publishable


@receiver([published, unpublished, post_delete])
def follow(sender, instance, **kwargs):
    if isinstance(instance, Publishable):
        if kwargs.get("signal") is post_delete:
            instance.live = False
        after_change(instance)


@receiver(pre_delete, sender=Source)
def remember_claims(sender, instance, **kwargs):
    instance.claims_at_deletion = instance.claim_keys()  # their ties are deleted first
