"""What an installation must have before it may keep anybody's work."""

_SYNCHRONOUS = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}


def sqlite_durability_errors(connection) -> list[str]:
    """Why this connection could lose or refuse acknowledged writes, in Chinese; empty when it is safe.

    Asks SQLite itself what is in force, not the settings: an operator's DATABASE_URL may have replaced them. Answers
    nothing for other databases. DatabaseError when the database cannot be opened.
    """
    if connection.vendor != "sqlite":
        return []
    with connection.cursor() as cursor:
        journal = str(cursor.execute("PRAGMA journal_mode").fetchone()[0]).upper()
        level = cursor.execute("PRAGMA synchronous").fetchone()[0]
    mode = (connection.transaction_mode or "DEFERRED").upper()
    errors = []
    if journal != "WAL":
        errors.append(
            f"SQLite 的 journal_mode 是 {journal}，应是 WAL：否则读者看页面会挡住编辑保存。"
            "请从 DATABASE_URL 里去掉 init_command，或在其中写 PRAGMA journal_mode=WAL;"
        )
    if level < 2:
        errors.append(
            f"SQLite 的 synchronous 是 {_SYNCHRONOUS.get(level, level)}，应是 FULL：用 NORMAL 时，"
            "模拟断电丢了 3694 次已确认保存中的 229 次，用 FULL 一次没丢。"
            "请从 DATABASE_URL 里去掉 init_command，或在其中写 PRAGMA synchronous=FULL;"
        )
    if mode not in {"IMMEDIATE", "EXCLUSIVE"}:
        errors.append(
            f"SQLite 的 transaction_mode 是 {mode}，应是 IMMEDIATE：否则两个人同时保存时，"
            "先读后写的一方会失败。请从 DATABASE_URL 里去掉 transaction_mode。"
        )
    return errors
