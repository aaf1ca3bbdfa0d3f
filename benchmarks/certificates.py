"""What the certificates of a logged round cost beside a round.

    python benchmarks/certificates.py
    python benchmarks/certificates.py --config configs/har_fltrust.yaml --clients 30 --malicious 6 --parameters 3372

They are measured in rounds that are logged, one in ten or twenty as the configurations have it: a run pays a tenth or a
twentieth of what stands here.
"""

import sys
from functools import partial
from pathlib import Path

import torch
from beside_a_round import example, parser, time_beside_a_round
from measure import save

from callbacks import FLTrust
from callbacks.reporting.certificates import of_kappa, of_trust

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))  # no package, and nothing that users import
from hostile import federation_of, round_of


def main() -> None:
    options = parser(__doc__).parse_args()
    updates, root_update = example(options.clients, options.parameters)
    malicious = torch.arange(options.clients) < options.malicious
    federation = federation_of(num_examples=torch.full((options.clients,), 600), malicious=malicious)
    round, rule = round_of(federation, updates, root_update), FLTrust()
    aggregate = rule.aggregate(round)
    cases = {
        "progress and leverage": partial(of_trust, round, aggregate, rule.trust_shape),
        "kappa": partial(of_kappa, round, aggregate, rule),
    }
    save(options.out, "certificates", time_beside_a_round(options, cases, {}))


if __name__ == "__main__":
    main()
