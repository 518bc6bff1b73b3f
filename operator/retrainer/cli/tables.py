"""Tables as kubectl prints them: no lines, names whole, sentences folded."""

from rich.table import Table

_SENTENCES = frozenset({"WHY", "WHAT", "CAUSE", "AT THE END"})


def plain(*columns: str) -> Table:
    """Return an empty table; a column of sentences takes the room that the others leave."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column not in _SENTENCES)
    return table
