"""The error that means "the user can mend this": commands print it as one line and exit with status 2."""


class UserError(ValueError):
    """Says in one line what is wrong, where (file and line, or option), and what would be right."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it: a notebook's reader gets the line, and no traceback."""
        return [f"error: {self}"]


class DivergedError(UserError):
    """A training's figures, or its weights, are no numbers any more."""
