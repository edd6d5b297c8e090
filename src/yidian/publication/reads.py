"""Reads whose SQL is compiled once: building a queryset's SQL costs more than running it."""

from collections.abc import Callable

from django.db import connection
from django.db.models import QuerySet


class _Hole:
    """Stands for a value that is known at each call only."""

    def __init__(self, position: int):
        self.position = position


class CompiledRead:
    """Rows of one queryset of `values_list`, or of several alike, compiled at the first call and reused by all others.

    `build` receives one placeholder for each argument that a call will bring, to be used as a text or number in
    filters (`types` says which: str or int), and returns the querysets; a call returns a list of tuples. Several
    querysets, each with its own order and limit, are read in one statement and must have the same columns.
    """

    def __init__(self, build: Callable[..., QuerySet | list[QuerySet]], *types: type):
        self.build, self.types = build, types
        self.compiled: dict[str, tuple] = {}

    def __call__(self, *values) -> list[tuple]:
        sql, parameters, converters = self.compiled.get(connection.vendor) or self._compile()
        filled = [values[each.position] if isinstance(each, _Hole) else each for each in parameters]
        with connection.cursor() as cursor:
            cursor.execute(sql, filled)
            rows = cursor.fetchall()
        if not converters:
            return rows
        converted = []
        for row in rows:
            row = list(row)
            for position, (functions, expression) in converters:
                value = row[position]
                for function in functions:
                    value = function(value, expression, connection)
                row[position] = value
            converted.append(tuple(row))
        return converted

    def _compile(self) -> tuple:
        # a placeholder of the column's own type, so that it passes the field's own preparation
        marks = [f"hole{n}" if kind is str else -(7_000_000_000 + n) for n, kind in enumerate(self.types)]
        built = self.build(*marks)
        compilers = [
            each.query.get_compiler(connection=connection) for each in (built if isinstance(built, list) else [built])
        ]
        compiled = [compiler.as_sql() for compiler in compilers]
        parameters = [each for _sql, own in compiled for each in own]
        if len(compiled) == 1:
            sql = compiled[0][0]
        else:
            # SQLite takes ORDER BY and LIMIT in the parts of a UNION only inside a subquery
            parts = (f"SELECT * FROM ({part}) AS part{n}" for n, (part, _own) in enumerate(compiled))  # noqa: S608  (Django's)
            sql = " UNION ALL ".join(parts)
        converters = list(compilers[0].get_converters([column[0] for column in compilers[0].select]).items())
        parameters = [_Hole(marks.index(each)) if each in marks else each for each in parameters]
        if {each.position for each in parameters if isinstance(each, _Hole)} != set(range(len(marks))):
            raise ValueError("a placeholder of a CompiledRead does not reach its SQL")
        self.compiled[connection.vendor] = (sql, parameters, converters)
        return self.compiled[connection.vendor]
