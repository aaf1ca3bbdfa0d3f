"""What a configuration plugs into a run: aggregation rules, attacks, and what records and shows the run."""

from callbacks.aggregation import FedAvg, FLTrust, Krum, Median, NormBoundedMean, TrimmedMean
from callbacks.attacks import (
    AdaptiveAttack,
    KrumAttack,
    LabelFlippingAttack,
    NoAttack,
    ScalingAttack,
    TrimAttack,
)
from callbacks.reporting.evaluation import ClientErrors, EvaluationMetrics
from callbacks.reporting.metrics import MetricsLogger
from callbacks.reporting.predictions import PredictionWriter
from callbacks.reporting.progress import RoundProgressBar
from callbacks.reporting.summary import RunReport
from callbacks.reporting.wandb_report import WandbReport

__all__ = [
    "AdaptiveAttack",
    "ClientErrors",
    "EvaluationMetrics",
    "FLTrust",
    "FedAvg",
    "Krum",
    "KrumAttack",
    "LabelFlippingAttack",
    "Median",
    "MetricsLogger",
    "NoAttack",
    "NormBoundedMean",
    "PredictionWriter",
    "RoundProgressBar",
    "RunReport",
    "ScalingAttack",
    "TrimAttack",
    "TrimmedMean",
    "WandbReport",
]
