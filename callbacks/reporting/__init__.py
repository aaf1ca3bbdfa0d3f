"""Callbacks that record and show a run: metrics, summary, progress, predictions, W&B."""

from callbacks.reporting.certificates import Certificates
from callbacks.reporting.checkpoints import PacedCheckpoint
from callbacks.reporting.client_errors import ClientErrors
from callbacks.reporting.evaluation import EvaluationMetrics
from callbacks.reporting.metrics import MetricsLogger
from callbacks.reporting.predictions import PredictionWriter
from callbacks.reporting.progress import RoundProgressBar
from callbacks.reporting.summary import RunReport
from callbacks.reporting.wandb_report import WandbReport

__all__ = [
    "Certificates",
    "ClientErrors",
    "EvaluationMetrics",
    "MetricsLogger",
    "PacedCheckpoint",
    "PredictionWriter",
    "RoundProgressBar",
    "RunReport",
    "WandbReport",
]
