"""The paper's solver of the adaptive attack, walked on four numbers a client in place of its parameters.

A step moves a client's vector e along a normal vector u by how much h grows towards it. All that it asks of u is a few
inner products, and of other clients two numbers each. They are drawn from their exact joint distribution:

- The coordinates of u along orthonormal vectors that do not depend on it are independent normal numbers. What is left
  of u is independent of them. Its squared length, in units of the variance of an entry, is chi-squared with a degree of
  freedom for each dimension left.
- Such vectors are e_0, the root update's direction; p, the direction of the part of s orthogonal to e_0; n, that of the
  part of the client's start orthogonal to both; and w, that of the part of e, as it is now, orthogonal to all three. So
  e is four coordinates, the last at least 0. A step adds its length times the coordinates of u. What is left of u, at
  right angles to all four, turns w: the last coordinate becomes ``sqrt((g + length z)^2 + (length |left|)^2)``.
- Nothing asks where w points. Turn all noise of a client by a rotation that leaves its e_0, p and n where they are: the
  noise was as likely, all coordinates of all clients stay as they are, and its w is turned with it. So, given the
  coordinates, w is uniform on the unit vectors orthogonal to e_0, p and n, and independent of other clients' w. One
  normal vector a client, less its part along these three and at length 1, is such a w.

A step takes five numbers, and a whole walk one normal vector a client, in place of one a step. What all clients send
has the joint distribution that it has under the solver as printed. Where vectors coincide or dimensions run out, there
are fewer than four; e and u have the coordinate 0 along a missing one.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from flt.functional.attacks.adaptive_frame import Frame, plane_of
from flt.functional.attacks.adaptive_game import Game

Scores = Literal["relu", "signed"]


class ZerothOrder(NamedTuple):
    """How the solver walks.

    Attributes:
        sweeps: Passes over the malicious clients (V).
        steps: Steps a client and pass (Q).
        noise_variance: Variance sigma^2 of each entry of u.
        probe: Length gamma of the probing step.
        step_size: Step eta.
        scores: Trust scores that the malicious clients have in h: "relu" are the server's, 0 for a negative cosine;
            "signed" the cosines themselves, so that every step counts.
    """

    sweeps: int
    steps: int
    noise_variance: float
    probe: float
    step_size: float
    scores: Scores = "relu"


def climb(game: Game, starts: Tensor, settings: ZerothOrder, *, generator: torch.Generator | None = None) -> Tensor:
    """Unit vectors to which the zeroth-order solver comes from the directions of ``starts``.

    Args:
        game: The objective.
        starts: Where the malicious clients start, of any length, shape ``[num_malicious, num_params]``. A zero vector
            has no direction: it stays zero unless a step moves it.
        settings: How the solver walks.
        generator: Source of the draws, in float64 ``[sweeps, num_malicious, steps, 4]`` normal numbers and
            ``[sweeps, num_malicious, steps]`` gamma numbers, then those of `Frame.realised`.

    Returns:
        The vectors, dtype of ``starts``, shape ``[num_malicious, num_params]``.
    """
    frame = Frame.of(plane_of(game.root_direction, game.sign), starts)
    walk = _Walk(game, frame, settings)
    for draws in _noise(frame.exists, starts.shape[1], settings, generator).tolist():
        walk.sweep(draws)
    return frame.realised(frame.along.new_tensor(walk.places), generator=generator)


def _noise(exists: Tensor, num_params: int, settings: ZerothOrder, generator: torch.Generator | None) -> Tensor:
    """Coordinates of the noise along e_0, p, n and w, where a client has them, and the length of what is left of it.

    Float64, shape ``[sweeps, num_malicious, steps, 5]``.
    """
    shape = (settings.sweeps, len(exists), settings.steps)
    normal = torch.randn(*shape, 4, generator=generator, dtype=torch.float64, device=exists.device)
    freedom = (num_params - exists.sum(dim=1, keepdim=True)).double()
    # A chi-squared number is twice a gamma number of half its degrees of freedom. Under this name alone torch draws
    # these from a given generator.
    squares = 2.0 * torch._standard_gamma((freedom / 2.0).expand(shape).contiguous(), generator=generator)
    lengths = torch.where(freedom > 0, squares.sqrt(), 0.0)
    deviation: float = settings.noise_variance**0.5
    return torch.cat([normal * exists[:, None], lengths[..., None]], dim=3) * deviation


class _Walk:
    """The clients' coordinates along e_0, p, n and w, sweep after sweep."""

    def __init__(self, game: Game, frame: Frame, settings: ZerothOrder) -> None:
        self.game, self.settings = game, settings
        self.sign_along: list[float] = (frame.plane @ game.sign.double()).tolist()
        self.places: list[list[float]] = frame.coordinates().tolist()
        self.others = (0.0, 0.0)  # what all but the client that walks add to the sums in h

    def sweep(self, draws: Sequence[Sequence[Sequence[float]]]) -> None:
        """Every client's steps in turn, given where the others are; ``draws`` are those of `_noise` for one sweep."""
        later = [(0.0, 0.0)]
        for c, b, _, _ in reversed(self.places[1:]):
            later.append(_both(later[-1], self._terms(c, b)))
        earlier = (0.0, 0.0)
        for client, steps in enumerate(draws):
            self.others = _both(earlier, later.pop())
            self.places[client] = self._moved(self.places[client], steps)
            earlier = _both(earlier, self._terms(*self.places[client][:2]))

    def _moved(self, place: list[float], steps: Sequence[Sequence[float]]) -> list[float]:
        """Where a client comes from ``place`` in these steps."""
        c, b, out, rest = place
        probe, pace = self.settings.probe, self.settings.step_size * self.game.root_norm
        for along_c, along_b, along_out, along_rest, left in steps:
            rise = self._after(c, b) - self._after(c + probe * along_c, b + probe * along_b)  # of h over |g_0|
            length = pace * rise / probe
            if length == 0.0:  # as for every client whose probes are all at more than 90 degrees to e_0
                continue
            c, b, out = c + length * along_c, b + length * along_b, out + length * along_out
            rest = math.hypot(rest + length * along_rest, length * left)
            norm = math.hypot(c, b, out, rest) or 1.0
            c, b, out, rest = c / norm, b / norm, out / norm, rest / norm
        return [c, b, out, rest]

    def _after(self, c: float, b: float) -> float:
        return self.game.after(*_both(self.others, self._terms(c, b)))

    def _terms(self, c: float, b: float) -> tuple[float, float]:
        """What a client with these coordinates along e_0 and p adds to the sums in h."""
        trust = c if self.settings.scores == "signed" else max(c, 0.0)
        return trust * (self.sign_along[0] * c + self.sign_along[1] * b), trust


def _both(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return one[0] + other[0], one[1] + other[1]
