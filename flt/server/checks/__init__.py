"""Checks of a run's parts against each other, before work starts: a mistake is told in one line, and costs nothing."""

from flt.server.checks.added import check_added
from flt.server.checks.callbacks import check_callbacks, check_monitors
from flt.server.checks.memory import check_kept, check_memory
from flt.server.checks.network import check_network, check_trainable
from flt.server.checks.settings import (
    check_effects,
    check_malicious,
    check_milestones,
    check_precision,
    check_schedule,
    check_server_optimizer,
    check_strategy,
    check_trainer,
    precision_problem,
)
from flt.server.checks.tokens import check_token_ids

__all__ = [
    "check_added",
    "check_callbacks",
    "check_effects",
    "check_kept",
    "check_malicious",
    "check_memory",
    "check_milestones",
    "check_monitors",
    "check_network",
    "check_precision",
    "check_schedule",
    "check_server_optimizer",
    "check_strategy",
    "check_token_ids",
    "check_trainable",
    "check_trainer",
    "precision_problem",
]
