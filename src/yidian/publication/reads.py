"""Reads whose SQL is compiled once: building a queryset's SQL costs more than running it."""

from collections.abc import Callable

from django.db import connection
from django.db.models import QuerySet


class _Hole:
    """Stands for a value that is known at each call only."""

    def __init__(self, position: int):
        self.position = position


class CompiledRead:
    """Rows of a queryset of `values_list`, its SQL compiled at the first call and reused by all that follow.

    `build` receives one placeholder for each argument that a call will bring, to be used as a text or number in
    filters (`types` says which: str or int); a call returns a list of tuples.
    """

    def __init__(self, build: Callable[..., QuerySet], *types: type):
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
        query = self.build(*marks).query
        compiler = query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        converters = list(compiler.get_converters([column[0] for column in compiler.select]).items())
        parameters = [_Hole(marks.index(each)) if each in marks else each for each in parameters]
        if sum(isinstance(each, _Hole) for each in parameters) < len(marks):
            raise ValueError("a placeholder of a CompiledRead does not reach its SQL")
        self.compiled[connection.vendor] = (sql, parameters, converters)
        return self.compiled[connection.vendor]
