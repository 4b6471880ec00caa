"""COMBINE: a checker over other checkers. It is declared like every checker, but nothing is probed."""

from plugins.api import Failed, Result, Target, checker, option


@checker("COMBINE", aims="maybe")
class Combine:
    """Healthy when an expression over other checkers' verdicts is true; follows their news, and polls nothing.

    ``web AND (db1 OR db2)``, ``NOT maintenance``, ``2 of (a b c)``. Its own time, retry and target keywords have no
    effect.
    """

    expression: tuple[str, ...] = option(help="names of checkers with AND, OR, NOT, `2 of (a b c)` and brackets")

    def probe(self, target: Target) -> Result:
        """There is nothing to try by hand."""
        raise Failed("nothing is probed: it is judged by the verdicts of the checkers that it names")
