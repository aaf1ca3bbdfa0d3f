"""What attacks by data and training compute."""

from flt.functional.attacks.backdoors.a3fl import agreement_of_layers, trigger_loss, trigger_step
from flt.functional.attacks.backdoors.ascent import gradient_ascent
from flt.functional.attacks.backdoors.chameleon import supervised_contrastive_loss
from flt.functional.attacks.backdoors.critical_layers import critical_layers, layers_of, with_critical_layers
from flt.functional.attacks.backdoors.least_moved import least_moved
from flt.functional.attacks.backdoors.projection import project
from flt.functional.attacks.backdoors.replacement import model_replacement

__all__ = [
    "agreement_of_layers",
    "critical_layers",
    "gradient_ascent",
    "layers_of",
    "least_moved",
    "model_replacement",
    "project",
    "supervised_contrastive_loss",
    "trigger_loss",
    "trigger_step",
    "with_critical_layers",
]
