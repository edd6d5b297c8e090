"""The receivers: Wagtail says published or unpublished, or content is deleted, and `after_change` follows.

A picture is public as soon as it is saved.
"""

from django.db.models.signals import post_delete, post_save, pre_delete
from django.dispatch import receiver
from wagtail.signals import published, unpublished

from yidian.editorial.actions import after_change, after_picture_change
from yidian.editorial.models import Illustration
from yidian.evidence.models import Source
from yidian.publication.models import Publishable
from yidian.publication.turns import take_turn


@receiver([published, unpublished, post_delete])
def follow(sender, instance, **kwargs):
    if isinstance(instance, Publishable):
        if kwargs.get("signal") is post_delete:
            instance.live = False
        after_change(instance)


@receiver(pre_delete)
def before_deletion(sender, instance, **kwargs):
    if isinstance(instance, Publishable):
        take_turn()
    if isinstance(instance, Source):
        instance.claims_at_deletion = instance.claim_keys()  # their ties are deleted first


@receiver([post_save, post_delete], sender=Illustration)
def follow_picture(sender, instance, created=False, update_fields=None, **kwargs):
    # Wagtail notes a file's hash and size whenever it first needs them; no page shows those
    if not created and (update_fields is None or {"file", "alt"} & set(update_fields)):
        after_picture_change(instance.pk)
