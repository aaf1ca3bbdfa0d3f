"""Which optimum the adaptive attack looks for in a run, and how."""

import pytest
from torch.testing import assert_close

from callbacks import NNM, AdaptiveAttack, Clipping, FLTrust, Median
from flt import functional as F
from flt.federation import FederatedCallback
from flt.functional import TrustShape

EXACT = {"solver": "exact", "against": "rule", "objective": "progress"}


class Noting(FederatedCallback):
    """Notes the rounds as they reach the attack."""

    def __init__(self):
        self.honest = []

    def on_client_updates(self, round):
        self.honest.append(round)


class Shortening(Noting):
    """Does something to the updates before the rule."""

    def on_updates_received(self, round):
        return round.replace(updates=0.5 * round.updates)


@pytest.mark.parametrize(
    ("rule", "shape"),
    [
        (FLTrust(), TrustShape()),
        (FLTrust(variant="withServer"), TrustShape(include_root=True)),
        (FLTrust(variant="ParNorm"), TrustShape(magnitude="at_most_root")),
        (FLTrust(least_cosine=0.1), TrustShape(least_cosine=0.1)),
        (FLTrust(variant="Server"), TrustShape("none", include_root=True)),
        (NNM(FLTrust()), None),
        (Clipping(FLTrust(), max_norm=0.1), None),
        (Median(), None),
    ],
    ids=lambda each: each.label if isinstance(each, FLTrust | NNM | Clipping | Median) else "",
)
@pytest.mark.parametrize("before", [Noting, Shortening])
def test_of_the_rule_in_force(fit, rule, shape, before):
    """It is computed where the rule says its shape and nothing comes before it, else searched by asking the rule."""
    noting, attack = before(), AdaptiveAttack(0.3, **EXACT)
    fit(rule, attack, noting, rounds=1)
    honest = noting.honest[0]
    given, root, sent = (honest.updates, honest.malicious), honest.root_update, attack.craft(honest)
    if shape is None or before is Shortening:
        assert_close(sent, F.searched_attack(*given, root, honest.rule, objective="progress"))
    else:
        assert_close(sent, F.exact_attack(*given, root, shape=shape, objective="progress"))
        assert (sent != given[0]).any() == (shape.score != "none")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"solver": "exact", "scores": "signed"}, "attack.scores: no effect with attack.solver=exact"),
        ({"against": "rule", "longest": 2.0}, "attack.against, longest: no effect with attack.solver=zeroth_order"),
        ({"solver": "exact", "longest": 2.0}, "attack.longest and .* no effect with attack.against=fltrust"),
    ],
)
def test_settings_without_effect(settings, message):
    with pytest.warns(UserWarning, match=message):
        AdaptiveAttack(**settings)
