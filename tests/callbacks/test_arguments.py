"""Arguments of rules and attacks that cannot be, alone or in a round of 30 clients; each mistake is a line."""

import hostile
import pytest
import torch

import callbacks
from flt.errors import InputError
from flt.federation import Aggregation

# How the rule or attack is made, and what its message has to mention.
MISTAKES = """
NormClipping(max_norm=1.0, noise_std=-1.0) => noise_std=-1.0 | from 0
RFA(num_steps=0) => aggregation.num_steps=0 | at least 1
GeometricMedian(smoothing=0.0) => aggregation.smoothing=0.0 | greater
CenteredClipping(momentum=1.0) => aggregation.momentum=1.0 | less
ARC(num_byzantine=31) => aggregation.num_byzantine=31 | at most 30
Clipping(max_norm=0.0) => aggregation.max_norm=0.0 | greater
AFA(prior=0) => aggregation.prior=0 | at least 1
LASA(sparsity=1.0) => aggregation.sparsity=1.0 | less
Bucketing(LASA(), size=15) => LASA needs 3 updates or more | gets 2
CRFL(start=0.0) => aggregation.start=0.0 | greater
RLR(FedAvg(), threshold=31) => threshold=31 | RLR of 30 updates
Krum(num_neighbours=0) => aggregation.num_neighbours=0 | 1 to 29
Krum(power=3) => aggregation.power=3 | 2 or 4
MultiKrum(num_selected=31) => aggregation.num_selected=31 | 1 to 30
MultiKrum(iterative=True, num_byzantine=14) => num_byzantine=14 | at most 13
MultiKrum(iterative=True, num_byzantine=4, num_selected=24) => num_selected=24 | 1 to 23
Bulyan(num_byzantine=7) => num_byzantine=7 | at most 6
MeaMed(num_byzantine=15) => num_byzantine=15 | at most 14
Zeno(num_byzantine=30) => num_byzantine=30 | at most 29
Zeno(rho=-1.0) => aggregation.rho=-1.0 | from 0
Union(num_byzantine=15) => num_byzantine=15 | at most 14
ZenoPlusPlus(refresh_every=0) => aggregation.refresh_every=0 | at least 1
DiverseFL(min_ratio=3.0) => aggregation.min_ratio=3.0 | max_ratio=2.0
MoNNA(num_byzantine=15) => aggregation.num_byzantine=15 | at most 14
CAF(num_byzantine=15) => num_byzantine=15 | at most 14
DnC(num_byzantine=15, filter_fraction=2.0) => num_byzantine=15 | at most 14
DnC(filter_fraction=0.0) => filter_fraction=0.0 | above 0
DnC(num_coordinates=0) => num_coordinates=0 | at least 1
GAS(num_chunks=0) => aggregation.num_chunks=0 | at least 1
GAS(Bulyan(num_byzantine=7)) => rule.num_byzantine=7 | at most 6
GAS(Zeno()) => chunks | Zeno needs whole updates
GAS(NNM(LFR())) => chunks | LFR(FedAvg) needs whole updates
NNM(GAS(RLR(LASA()))) => chunks | LASA needs whole updates
Bucketing(NNM(DiverseFL())) => Bucketing puts several clients into a row | DiverseFL compares
NNM(HierarchicalFLTrust(DiverseFL())) => HierarchicalFLTrust puts several clients into a row | DiverseFL compares
FoundationFL(num_synthetic=0) => num_synthetic=0 | at least 1
MDA(num_byzantine=15) => num_byzantine=15 | at most 14
MDA(num_byzantine=9, max_trials=30) => 37 trials | at most 8 | max_trials=30
SMEA(num_byzantine=7) => num_byzantine=7 | 2,035,800 subsets | at most 6 | max_subsets
FLDetector(window=0) => aggregation.window=0 must be at least
FLDetector(warmup_rounds=0) => aggregation.warmup_rounds=0 must be at least
LFR(Krum(), num_byzantine=28) => rule.num_byzantine | Krum of 2 updates
NoAttack(fraction=1.0) => attack.fraction=1.0 must be at least 0 and less than 1
TrimAttack(fraction=-0.1) => attack.fraction=-0.1 must be at least 0 and less than 1
LabelFlipping(fraction=nan) => attack.fraction=nan must be at least 0 and less than 1
TrimAttack(stretch=1.0) => attack.stretch=1.0 must be a finite number greater than 1
TrimAttack(stretch=nan) => attack.stretch=nan must be a finite number greater than 1
TrimAttack(knowledge='half') => attack.knowledge='half': choose one of full, partial
TrimAttack(start_round=-1) => attack.start_round=-1 must be 0 or more
TrimAttack(ramp=-1) => attack.ramp=-1 must be 0 or more
TrimAttack(every=0) => attack.every=0 must be at least 1
TrimAttack(end_round=0) => attack.end_round=0 must be greater than attack.start_round=0
KrumAttack(epsilon=-0.1) => attack.epsilon=-0.1 must be a finite number, 0 or more
KrumAttack(epsilon=inf) => attack.epsilon=inf
KrumAttack(knowledge='none') => attack.knowledge='none': choose one of full, partial
ScalingAttack(poison_fraction=0.0) => attack.poison_fraction=0.0 must be above 0 and at most 1
ScalingAttack(poison_fraction=1.1) => attack.poison_fraction=1.1 must be above 0 and at most 1
ScalingAttack(scale=0.0) => attack.scale=0.0 must be a finite number greater than 0
ScalingAttack(scale=nan) => attack.scale=nan
AdaptiveAttack(sweeps=-1) => attack.sweeps=-1 and attack.steps=10 must be 0 or more
AdaptiveAttack(steps=-2) => attack.sweeps=10 and attack.steps=-2 must be 0 or more
AdaptiveAttack(noise_variance=0.0) => attack.noise_variance=0.0 must be a finite number greater than 0
AdaptiveAttack(probe=-1.0) => attack.probe=-1.0 must be a finite number greater than 0
AdaptiveAttack(step_size=0.0) => attack.step_size=0.0 must be a finite number greater than 0
AdaptiveAttack(probe=nan) => attack.probe=nan
OptimizedALIE(sign='up') => attack.sign='up': choose one of both, minus, plus
OptimizedALIE(ddof=2) => attack.ddof=2 must be 0 or 1
OptimizedALIE(evaluations=0) => attack.evaluations=0 must be at least 1
CosineAttack(perturbation='unit') => attack.perturbation='unit': choose one of sign, std
CosineAttack(cosines=(0.5, 0.0)) => attack.cosines=[0.5, 0.0] must be one number or more, each above 0
CosineAttack(cosines=()) => attack.cosines=[] must be one number or more
TailoredAttack(perturbation='up') => attack.perturbation='up': choose one of std, minus_std, sign, unit
TailoredAttack(objective='picked') => attack.objective='picked': choose one of auto, deviation
TailoredAttack(gamma_init=0.0) => attack.gamma_init=0.0 must be a finite number greater than 0
TailoredAttack(evaluations=0) => attack.evaluations=0 must be at least 1
OptimizedIPM(search='random') => attack.search='random': choose one of two_sided, byzfl
AdaptiveAttack(solver='fast') => attack.solver='fast': choose one of zeroth_order, exact
AdaptiveAttack(scores='own') => attack.scores='own': choose one of relu, signed
AdaptiveAttack(against='all') => attack.against='all': choose one of fltrust, rule
AdaptiveAttack(objective='loss') => attack.objective='loss': choose one of sign, progress, displacement, descent
AdaptiveAttack(longest=0.0) => attack.longest=0.0 must be a finite number greater than 0
AdaptiveAttack(evaluations=9) => attack.evaluations=9 must be 32 or more
SignFlip(variant='half') => attack.variant='half': choose one of own, mean, ascent
SignFlip(scale=0.0) => attack.scale=0.0 must be a finite number greater than 0
GaussianNoise(placement='over') => attack.placement='over': choose one of replace, add
GaussianNoise(scale=-1.0) => attack.scale=-1.0 must be a number from 0
UniformNoise(mean=inf) => attack.mean=inf must be a finite number
UniformNoise(scale=0.0) => attack.scale=0.0 and attack.mean=0.0 leave no noise
NonFinite(value='none') => attack.value='none': choose one of inf, nan
FreeRider(variant='busy') => attack.variant='busy': choose one of plain, disguised, delta, advanced, lazy
FreeRider(sigma=0.0) => attack.sigma=0.0 must be a finite number greater than 0
FreeRider(gamma=-1.0) => attack.gamma=-1.0 must be a number from 0
MPAF(scale=0.0) => attack.scale=0.0 must be a finite number greater than 0
MPAF(target='zero') => attack.target='zero': choose one of random, initial
PoisonedFL(scale=-1.0) => attack.scale=-1.0 must be a finite number greater than 0
PoisonedFL(period=0) => attack.period=0 must be at least 1
PoisonedFL(shrink=1.0) => attack.shrink=1.0 must be above 0 and less than 1
PoisonedFL(confidence=0.0) => attack.confidence=0.0 must be above 0 and less than 1
PoisonedFL(least_scale=0.0) => attack.least_scale=0.0 must be a finite number greater than 0
SybilNoise(scale=0.0) => attack.scale=0.0 must be a finite number greater than 0
SybilNoise(max_cosine=1.0) => attack.max_cosine=1.0 must be at least -1 and less than 1, or null
ALIE(z=-0.5) => attack.z=-0.5 must be a number from 0
ALIE(z='paper') => attack.z='paper' must be a number of 0 or more, or formula
ALIE(sign='both') => attack.sign='both': choose one of minus, plus
ALIE(ddof=2) => attack.ddof=2 must be 0 or 1
IPM(epsilon=0.0) => attack.epsilon=0.0 must be a finite number greater than 0
MinMax(perturbation='mean') => attack.perturbation='mean': choose one of std, minus_std, sign, unit
MinMax(search='grid') => attack.search='grid': choose one of closed, bisection
MinMax(gamma_init=0.0) => attack.gamma_init=0.0 must be a finite number greater than 0
MinSum(gamma_init=-1.0) => attack.gamma_init=-1.0 must be a finite number greater than 0
MinSum(bound='mean') => attack.bound='mean': choose one of max, min
ByzMean(z=0.0) => attack.z=0.0 must be a finite number greater than 0
ByzMean(ddof=-1) => attack.ddof=-1 must be 0 or 1
Mimic(warmup_rounds=0) => attack.warmup_rounds=0 must be at least 1
Mimic(pick='first') => attack.pick='first': choose one of largest, smallest
AdaptiveAttack(knowledge='partial') => attack.knowledge=partial: AdaptiveAttack turns the aggregate of all updates
Mimic(knowledge='partial') => attack.knowledge=partial: Mimic copies a benign update
Trapsetter(scale=0.0) => attack.scale=0.0 must be a finite number greater than 0
Trapsetter(radius=-1.0) => attack.radius=-1.0 must be a finite number greater than 0
Trapsetter(interval=0) => attack.interval=0 must be at least 1
ROP(z=-1.0) => attack.z=-1.0 must be a number from 0
ROP(angle=nan) => attack.angle=nan must be a number of degrees from -360 to 360
ROP(location_share=1.5) => attack.location_share=1.5 must be from 0 to 1
ROP(reference_share=-0.1) => attack.reference_share=-0.1 must be from 0 to 1
ModelReplacement(scale=0.0) => attack.scale=0.0 must be a finite number greater than 0
ModelReplacement(scale=2.0, max_norm=1.0) => attack.scale=2.0 and attack.max_norm=1.0 are two lengths
ModelReplacement(alpha=0.0) => attack.alpha=0.0 must be above 0 and at most 1
ModelReplacement(epochs=0) => attack.epochs=0 must be at least 1
ModelReplacement(poison_lr=-1.0) => attack.poison_lr=-1.0 must be a finite number greater than 0
ModelReplacement(poison_fraction=2.0) => attack.poison_fraction=2.0 must be above 0 and at most 1
ProjectedBackdoor(bound=0.0) => attack.bound=0.0 must be a finite number greater than 0
ProjectedBackdoor(norm='l1') => attack.norm='l1': choose one of l2, linf
ProjectedBackdoor(boost=inf) => attack.boost=inf
Neurotoxin(ratio=1.0) => attack.ratio=1.0 must be above 0 and below 1
Neurotoxin(mask_from='all') => attack.mask_from='all': choose one of global_step, own_gradient
PGA(norm=-1.0) => attack.norm=-1.0 must be a finite number greater than 0
PGA(ascent_lr=0.0) => attack.ascent_lr=0.0 must be a finite number greater than 0
DBA(num_parts=0) => attack.num_parts=0 must be at least 1
DBA(scale=0.0) => attack.scale=0.0 must be a finite number greater than 0
EdgeCase(bound=0.0) => attack.bound=0.0 must be a finite number greater than 0
CriticalLayers(share=0.0) => attack.share=0.0 must be above 0
Chameleon(temperature=0.0) => attack.temperature=0.0 must be a finite number greater than 0
A3FL(iterations=0) => attack.iterations=0 must be at least 1
AdaptiveAttack(noise_variance=1e60) => attack.noise_variance=1e+60
Worst(family='sideways') => attack.family='sideways': choose one of updates, backdoors
Worst(jobs=0) => attack.jobs=0 must be at least 1
Worst(fraction=1.0) => attack.fraction=1.0 must be at least 0 and less than 1
"""


def check(made: str) -> None:
    """Makes an attack, which is refused at once, or a rule, which is held against a round as well."""
    plugin = eval(made, {**vars(callbacks), "inf": float("inf"), "nan": float("nan")})  # noqa: S307  # the lines above
    if isinstance(plugin, Aggregation):
        nobody = torch.zeros(30, dtype=torch.bool)
        plugin.check(hostile.federation_of(num_examples=torch.ones(30), malicious=nobody))


@pytest.mark.parametrize("mistake", MISTAKES.strip().splitlines())
def test_mistake(mistake: str) -> None:
    made, mentioned = mistake.split(" => ")
    with pytest.raises(InputError) as caught:
        check(made)
    assert [each for each in mentioned.split(" | ") if each not in str(caught.value)] == []
