"""What a command does first: Django with its apps, and a database of this version."""

from yidian.cli.words import Failure


def load() -> None:
    """Django with its apps: half a second that `--help` does not pay."""
    import django

    try:
        django.setup()
    except ValueError as error:  # an environment variable that no setting can be made of
        raise Failure(f"设置有误：{error}", "请检查环境变量，见 docs/operators/settings.md。") from error


def prepare() -> None:
    """As `load`, and the database brought to this version."""
    load()
    from yidian.cli.start import prepare_database

    prepare_database()
