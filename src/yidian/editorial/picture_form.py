"""The form of pictures, which have no drafts: what is on public pages is changed by those who may publish there."""

from wagtail.images.forms import BaseImageForm

from yidian.editorial.actions import entry_models
from yidian.evidence.models import Appearance

# What a page shows of a picture.
SHOWN = {"file", "alt"}


class PictureForm(BaseImageForm):
    def __init__(self, *args, user=None, **kwargs):
        super().__init__(*args, user=user, **kwargs)
        self.user = user

    def clean(self):
        cleaned = super().clean()
        changed = SHOWN.intersection(self.changed_data) if self.instance.pk else ()
        if changed and self.user and not self._may_publish_where_it_stands():
            refused = "这张图在公开的页面上，改了读者马上看到：请交给能发布的人来改，或者另传一张，放进草稿。"
            self.add_error(sorted(changed)[0], refused)
        return cleaned

    def _may_publish_where_it_stands(self) -> bool:
        shown_in = Appearance.objects.filter(reference=f"picture:{self.instance.pk}")
        kinds = set(shown_in.values_list("content_kind", flat=True))
        models = [model for model in entry_models() if model.kind in kinds]
        return all(self.user.has_perm(f"{each._meta.app_label}.publish_{each._meta.model_name}") for each in models)
