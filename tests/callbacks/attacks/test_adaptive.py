"""Which optimum the adaptive attack looks for in a run, and how."""

import pytest
from torch.testing import assert_close

from callbacks import NNM, AdaptiveAttack, FLTrust, Median
from flt import functional as F
from flt.federation import FederatedCallback
from flt.functional import TrustShape


class Noting(FederatedCallback):
    """Notes the rounds as they reach the attack."""

    def on_client_updates(self, round):
        self.honest = round


class Shortening(Noting):
    """Does something to the updates before the rule."""

    def on_updates_received(self, round):
        return round.replace(updates=0.5 * round.updates)


@pytest.mark.parametrize(
    ("rule", "noting", "shape"),
    [
        (FLTrust(variant="withServer"), Noting(), TrustShape(include_root=True)),
        (FLTrust(magnitude="at_most_root", least_cosine=0.1), Noting(), TrustShape("relu", "at_most_root", False, 0.1)),
        (FLTrust(variant="Server"), Noting(), TrustShape("none", include_root=True)),
        (FLTrust(), Shortening(), None),
        (NNM(FLTrust()), Noting(), None),
        (Median(), Noting(), None),
    ],
)
def test_of_the_rule_in_force(fit, rule, noting, shape):
    """It is computed where the rule says its shape and nothing comes before it, else searched by asking the rule."""
    attack = AdaptiveAttack(0.3, solver="exact", against="rule", objective="progress")
    fit(rule, attack, noting, rounds=1)
    honest, sent = noting.honest, attack.craft(noting.honest)
    given = honest.updates, honest.malicious, honest.root_update
    if shape is None:
        assert_close(sent, F.searched_attack(*given, honest.rule, objective="progress"))
    else:
        assert_close(sent, F.exact_attack(*given, shape=shape, objective="progress"))
        assert (sent != honest.updates).any() == (shape.score != "none")


def test_settings_without_effect():
    with pytest.warns(UserWarning, match="attack.against, longest: no effect with attack.solver=zeroth_order"):
        AdaptiveAttack(against="rule", longest=2.0)
    with pytest.warns(UserWarning, match=r"attack.longest and .* no effect with attack.against=fltrust"):
        AdaptiveAttack(solver="exact", longest=2.0)
