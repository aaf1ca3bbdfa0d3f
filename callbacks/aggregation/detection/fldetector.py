"""FLDetector as a callback."""

import torch
from torch import Tensor

from flt.errors import check_count
from flt.federation import Aggregate, Aggregation, ClientMemory, Federation, Memory, Round, check_fewest
from flt.functional import all_finite
from flt.functional.aggregation.detection.fldetector import curvature_times, prediction_errors
from flt.functional.aggregation.detection.gap_statistic import NUM_REFERENCES, upper_cluster


class FLDetector(Aggregation):
    """Mean of the updates of clients whose updates are as predictable from round to round as those of most.

    Its scores are mean shares of a round's prediction errors over the last rounds: less is better. It keeps an update
    of each client, and twice as many more as the window is long.

    Args:
        window: Rounds whose prediction errors make up a score, and pairs of steps and changes behind a prediction (N).
        warmup_rounds: Rounds before the first prediction; 20 and 50 in the paper. Nobody is left out before ``window``
            more have passed.

    Raises:
        InputError: If an argument is out of range, or there are fewer than 3 updates; before the first round.

    Reading:
        A client is left out of the rounds in which its score is in the upper of two clusters, and nobody is banned.
        Training is not begun anew, nor does the authors' code do so: a rule answers with an update, which goes through
        the server's learning rate and momentum and cannot set the model back. Where clients are sampled, the last
        update may be older than a round. Clusters of scores, which are numbers, are the best there are, rather than
        those of k-means from random starts.

    Reference:
        Zhang et al., FLDetector: Defending Federated Learning Against Model Poisoning Attacks via Detecting Malicious
        Clients, KDD 2022.
    """

    def __init__(self, window: int = 10, warmup_rounds: int = 20) -> None:
        check_count("aggregation.window", window)
        check_count("aggregation.warmup_rounds", warmup_rounds, least=2)
        self.window, self.warmup_rounds = window, warmup_rounds

    def check(self, federation: Federation) -> None:
        """Checks that there are enough scores for clusters."""
        check_fewest(3, federation, self.label)

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """An update of each client, the pairs behind a prediction, and the last model and aggregate."""
        return (federation.num_clients + 2 * self.window + 2) * num_params

    def aggregate(self, round: Round) -> Aggregate:
        """Predicts, scores and leaves out; see `flt.functional.aggregation.detection`."""
        errors = self._errors(round)
        own = errors.of(round.client_ids)
        scores = own.clamp(min=0.0).sum(dim=1) / (own >= 0).sum(dim=1).clamp(min=1)
        is_flagged = self._flagged(round, scores)
        found = Aggregate.mean_of(round, ~is_flagged, scores=scores)
        memory = {"errors": errors, **self._kept(round, found.update)}
        return Aggregate(found.update, found.statistics, found.judgement, memory=memory)

    def _errors(self, round: Round) -> ClientMemory:
        """The last prediction errors of every client, the newest first; below 0 where there is none."""
        empty = torch.full((1, self.window), -1.0, dtype=torch.float64, device=round.device)
        start = ClientMemory(
            empty.repeat(round.federation.num_clients, 1),
            torch.zeros(round.federation.num_clients, dtype=torch.bool, device=round.device),
        )
        kept: ClientMemory = round.memory.get("errors", start)
        if round.number < self.warmup_rounds or "steps" not in round.memory:
            return kept
        before: ClientMemory = round.memory["updates"]
        correction = curvature_times(
            round.memory["steps"], round.memory["changes"], round.parameters - round.memory["parameters"]
        )
        is_known, updates = before.is_known[round.client_ids.to(round.device)], round.rows.tensor
        if not bool(is_known.any()) or not all_finite(correction):
            return kept
        ids = round.client_ids[is_known.cpu()]
        new = prediction_errors(updates if bool(is_known.all()) else updates[is_known], before.of(ids), correction)
        return kept.updated(ids, torch.cat([new[:, None], kept.of(ids)[:, :-1]], dim=1))

    def _flagged(self, round: Round, scores: Tensor) -> Tensor:
        nobody = torch.zeros(len(round), dtype=torch.bool, device=round.device)
        if round.number < self.warmup_rounds + self.window - 1:
            return nobody
        is_scored = (scores > 0).cpu()
        source = round.generator("FLDetector")
        draws = torch.rand(NUM_REFERENCES, int(is_scored.sum()), generator=source, device=source.device)
        found = upper_cluster(scores.cpu()[is_scored].numpy(), draws.double().numpy(force=True))
        nobody[is_scored.to(round.device)] = torch.from_numpy(found).to(round.device)
        return nobody

    def _kept(self, round: Round, update: Tensor) -> Memory:
        """The clients' updates, the model, the aggregate and the last pairs, as they are for the next round."""
        ids, rows, memory = round.client_ids, round.rows.tensor, round.memory
        updates = memory.get("updates") or ClientMemory.empty(round.federation.num_clients, rows)
        kept = {"updates": updates.updated(ids, rows), "parameters": round.parameters.clone(), "last": update}
        pairs = {name: memory[name] for name in ("steps", "changes") if name in memory}
        if "last" in memory:
            step, change = round.parameters - memory["parameters"], update - memory["last"]
            if bool(step.any()):  # a step of nothing says nothing of the curvature
                new = {"steps": step[None], "changes": change[None]}
                pairs = {
                    name: torch.cat([*([pairs[name]] if pairs else []), new[name]])[-self.window :] for name in new
                }
        return {**kept, **pairs}
