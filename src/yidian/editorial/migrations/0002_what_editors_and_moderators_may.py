"""Editors write and save drafts of every kind of content; moderators also publish, lock and delete.

A migration and not a handler of post_migrate: it runs once, so that what an operator changes afterwards stays
changed, and its rows are part of a ready-made database.
"""

from django.db import migrations

CONTENT = {
    "encyclopedia": {"condition": "病症", "article": "文章", "actionguide": "行动指南"},
    "answers": {"question": "问题", "answer": "回答"},
    "people": {"physician": "医生", "hospital": "医院", "department": "科室"},
    "terms": {"bodypart": "身体部位", "population": "人群", "glossaryterm": "难词解释", "synonymgroup": "同义词"},
    "evidence": {"source": "出处", "claim": "主张"},
    "editorial": {"correction": "更正"},
}
EDITORS = ("add", "change", "view")
MODERATORS = (*EDITORS, "delete", "publish", "lock", "unlock")
# Readers write error reports and ask what nothing answers; editors say what became of them.
READERS = {"errorreport": "读者指出的错误", "unansweredquery": "未解答的问题"}
REPORTS = ("change", "view")
# Where an old address leads is public at once, so that only moderators decide it.
REDIRECTS = ("add", "change", "delete", "view")
WORKFLOW = "审核后发布"


def _permissions(apps, app: str, model: str, label: str, actions):
    """The permissions themselves are made after all migrations; made here, they are found there."""
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label=app, model=model)
    for action in actions:
        yield apps.get_model("auth", "Permission").objects.get_or_create(
            content_type=kind, codename=f"{action}_{model}", defaults={"name": f"Can {action} {label}"}
        )[0]


def grant(apps, schema_editor):
    groups = apps.get_model("auth", "Group").objects
    for name, actions in (("Editors", EDITORS), ("Moderators", MODERATORS)):
        group, _ = groups.get_or_create(name=name)
        for app, models in CONTENT.items():
            for model, label in models.items():
                group.permissions.add(*_permissions(apps, app, model, label, actions))
        for model, label in READERS.items():
            group.permissions.add(*_permissions(apps, "editorial", model, label, REPORTS))
    moderators = groups.get(name="Moderators")
    moderators.permissions.add(*_permissions(apps, "editorial", "redirect", "旧网址", REDIRECTS))


def send_to_moderators(apps, schema_editor):
    """Drafts of every kind can be handed to Wagtail's own workflow, under a Chinese name."""
    workflow = apps.get_model("wagtailcore", "Workflow").objects.filter(name="Moderators approval").first()
    if workflow is None:
        return
    workflow.name = WORKFLOW
    workflow.save()
    apps.get_model("wagtailcore", "Task").objects.filter(name="Moderators approval").update(name="审核")
    types = apps.get_model("contenttypes", "ContentType").objects
    for app, models in CONTENT.items():
        for model in models:
            kind, _ = types.get_or_create(app_label=app, model=model)
            apps.get_model("wagtailcore", "WorkflowContentType").objects.get_or_create(
                content_type=kind, defaults={"workflow": workflow}
            )


class Migration(migrations.Migration):
    dependencies = [
        ("editorial", "0001_initial"),
        ("encyclopedia", "0003_initial"),
        ("answers", "0003_initial"),
        ("people", "0001_initial"),
        ("terms", "0001_initial"),
        ("evidence", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("wagtailcore", "0098_apitoken"),
    ]

    operations = [
        migrations.RunPython(grant, migrations.RunPython.noop),
        migrations.RunPython(send_to_moderators, migrations.RunPython.noop),
    ]
