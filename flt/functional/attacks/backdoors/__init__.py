"""What backdoors compute."""

from flt.functional.attacks.backdoors.a3fl import agreement_of_layers, trigger_loss, trigger_step
from flt.functional.attacks.backdoors.critical_layers import critical_layers, layers_of, with_critical_layers

__all__ = [
    "agreement_of_layers",
    "critical_layers",
    "layers_of",
    "trigger_loss",
    "trigger_step",
    "with_critical_layers",
]
