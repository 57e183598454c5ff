"""A run that has gone wrong, in the moment in which it did."""

from hil.oracle.evidence import Finding


class ViolationError(BaseException):
    """An invariant does not hold. No `except Exception` of the code that is watched stops it."""

    def __init__(self, invariant: int, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.finding = Finding(invariant, code, text)

    def at(self, where: str) -> "ViolationError":
        """The same, with the moment in front."""
        found = self.finding
        return ViolationError(found.invariant, found.code, f"{where}: {found.text}")
