"""How many malicious clients a rule tolerates."""

from collections.abc import Callable
from dataclasses import dataclass

from lightning.pytorch.utilities import rank_zero_warn

from flt.errors import InputError
from flt.federation.round import Federation, Round


@dataclass(frozen=True)
class Byzantine:
    """The number f of malicious clients that a rule tolerates in a round, and what it asks of the number of rows.

    Updates that were dropped for a NaN or an infinity do not lower f: that a client was dropped does not prove that an
    attacker has left. Where dropping leaves too few rows for f, the rule tolerates as many as they allow.

    Args:
        given: The rule's setting; None takes the number that the federation assumes, ``model.num_byzantine``.
        fewest: The least number of rows with which the rule is defined, as a function of f.
        condition: That requirement in words, such as ``"n >= f + 3"``.
        setting: Name of the rule's setting.
    """

    given: int | None
    fewest: Callable[[int], int]
    condition: str
    setting: str = "num_byzantine"

    @classmethod
    def needing(cls, given: int | None, *, times: int, plus: int, setting: str = "num_byzantine") -> "Byzantine":
        """For a rule that is defined for ``times * f + plus`` rows or more."""
        terms = [setting if times == 1 else f"{times} * {setting}", *([str(plus)] if plus else [])]
        return cls(given, lambda f: times * f + plus, f"{' + '.join(terms)} updates or more", setting)

    def expected(self, federation: Federation) -> int:
        """f, before any update was dropped."""
        return federation.byzantine_per_round if self.given is None else self.given

    def of(self, round: Round) -> int:
        """The number f for the rows of a round; 0 also where the rule is defined for none with so few rows."""
        expected, rows = self.expected(round.federation), len(round)
        if self.fewest(expected) <= rows:
            return expected
        most = next((f for f in range(expected, 0, -1) if self.fewest(f) <= rows), 0)
        rank_zero_warn(
            f"a round has {rows} usable updates, too few for {self.setting}={expected} ({self.condition}): the rule"
            f" tolerated {most} there"
        )
        return most

    def kappa_bound(self, round: Round, formula: Callable[[int, int], float]) -> float | None:
        """A bound of kappa for the round's rows and f; None where more clients attack than f.

        Args:
            round: The round.
            formula: The bound, a function of the number of rows and f.
        """
        tolerated = self.of(round)
        return formula(len(round), tolerated) if int(round.malicious.sum()) <= tolerated else None

    def check(self, federation: Federation, rule: str) -> None:
        """Raises an `InputError` unless the rule is defined for the rows that it will see in a round."""
        expected, rows = self.expected(federation), federation.rows_per_round
        if expected < 0 or self.fewest(expected) > rows:
            allowed = [f for f in range(rows + 1) if self.fewest(f) <= rows]
            origin = "" if self.given is not None else ", as many malicious clients as are assumed,"
            remedy = f"at most {max(allowed)}" if allowed else "with so few there is none"
            raise InputError(
                f"aggregation.{self.setting}={expected}{origin} does not fit {rule} of {rows} updates, which needs"
                f" {self.condition}: set it to 0 or more ({remedy})"
            )

    def describe(self, federation: Federation) -> str:
        """The setting and its value, for people."""
        return f"{self.setting} {self.expected(federation)}"


def check_fewest(fewest: int, federation: Federation, rule: str) -> None:
    """Raises an `InputError` if a rule would see fewer updates in a round than it is defined for."""
    rows = federation.rows_per_round
    if rows < fewest:
        raise InputError(
            f"{rule} needs {fewest} updates or more in a round, and gets {rows}: raise model.clients_per_round, or"
            " lower the size of what a pre-aggregation puts into a row"
        )
