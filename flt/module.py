"""The global model and its rounds: one training step is one round of federated learning."""

from bisect import bisect_right
from reprlib import repr as shortened
from typing import Any, Literal

import torch
from lightning.pytorch import Callback
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from flt.clients.batch_norm import move_statistics
from flt.clients.loss import LossReduction
from flt.clients.steps.momentum import MomentumScaling
from flt.clients.steps.optimizers import OptimizerState
from flt.clients.steps.settings import LocalSettings
from flt.clients.training import LocalTraining
from flt.data.datamodule import FederatedDataModule
from flt.errors import InputError, check_choice, check_count, check_positive
from flt.federation import Aggregate, Attack
from flt.federation.membership import backdoor_of
from flt.federation.memory import NOTHING
from flt.federation.plugins import callbacks_of, in_order, only, settings_in, take_in_nested
from flt.models.initialization import Initialization, initialize
from flt.random import generator
from flt.runs.differences import differences
from flt.runs.lightning_overhead import inspected, without_profiler
from flt.runs.restoring import check_fits, check_optimizer, naming_checkpoint
from flt.runs.states import as_plain, check_readable
from flt.runs.unsaved import own_tensors
from flt.runs.writing import write_safely
from flt.server.assembly import assemble
from flt.server.checks.callbacks import check_callbacks, check_monitors
from flt.server.checks.memory import check_kept, check_memory
from flt.server.checks.network import check_network
from flt.server.checks.settings import check_milestones, check_schedule, check_server_optimizer, check_trainer
from flt.server.checks.tokens import check_token_ids
from flt.server.cohort import Cohort
from flt.server.continuation import OF_MODEL, keep, memory_in, settings_of_data, settings_of_rounds, take_up
from flt.server.draws import RandomLayerDraws
from flt.server.evaluation.loop import evaluate_briefly
from flt.server.evaluation.module import EvaluatedModule
from flt.server.processes import Processes
from flt.server.rates import Rates, rates_of


class FederatedModule(EvaluatedModule):
    """The server: wraps the global model, collects the clients' updates and takes the aggregate's step.

    The rule and the attack are callbacks of the trainer.

    Args:
        network: The global model: CNN, LogisticRegression, FullyConnected, ResNet20, ByzFLCNN, BucketingCNN, or the
            import path of any torch.nn.Module from features to class scores.
        initialization: "network" starts from the weights the network was built with; "xavier" draws them uniformly
            from ``+-sqrt(2.24 / fan_avg)`` with zero biases, as the authors of FLTrust do.
        client_lr: Learning rate of the clients and of the root update (beta).
        local_steps: Batches each client trains on in a round (R_l).
        loss_reduction: Whether the batch loss is the "sum" or the "mean" over its examples. The paper's learning rates
            are for the sum.
        root_batch_size: Examples of the root dataset the server uses per step; null is all of them.
        clients_per_round: Clients sampled for each round (tau); null is all.
        num_byzantine: Malicious clients that rules assume (f), unless a setting of their own says otherwise; null is
            as many as there are. In a round of sampled clients it is their share.
        clients_per_chunk: Clients trained at once; bounds memory. 1 is one after the other; "auto" measures what is
            fastest in the first round and remembers it.
        server_lr: Learning rate of the server (alpha): ``w <- w + server_lr * aggregate``.
        server_optimizer: Torch optimizer on the server instead of plain SGD, with the aggregate as its negative
            gradient; null is SGD with ``server_lr``.
        lr_milestones: Rounds from which ``client_lr`` is multiplied by ``lr_gamma``, once each.
        lr_gamma: Factor of the learning-rate decay.
        client_weight_decay: Factor of the weights in what clients add to every gradient, as torch's SGD does.
        client_momentum: Factor of each client's momentum (beta), from 0 and below 1: a client steps along
            ``m <- beta m + g``, which it keeps from round to round; so does the server's own training.
        momentum_scaling: "none" for that, "damped" for ``m <- beta m + (1 - beta) g``.
        client_optimizer: Torch optimizer of each client and of the root update in place of plain steps; its own lr is
            what counts then, not ``client_lr``.
        client_optimizer_state: Whether clients begin every round with a "fresh" optimizer, or with the one that each
            has "kept" from its last round.
        local_epochs: Passes of each client over its own examples in a round, in place of ``local_steps``: each in an
            order drawn anew, with a last batch that may be smaller, so that larger clients take more steps. The server
            passes over the root dataset as often, in batches of ``root_batch_size`` or, where that is null, of
            ``data.batch_size``. Null is ``local_steps``.
        proximal: Factor mu of ``mu / 2 * ||w_i - w||^2`` in the loss of clients and server (FedProx), which holds them
            near the global model w in all local steps but the first.
        clip_gradient: Longest gradient of a client's step, as `torch.nn.utils.clip_grad_norm_` shortens it, before
            weight decay and momentum; null for any length.
        random_layers: How dropout and other random layers of the network draw: "fresh" is anew for each client and
            step, "repeated" the same for all clients in all steps and rounds, as in the code of Karimireddy et al.
            (bucketing).
        lr_schedule: A torch.optim.lr_scheduler class by which the clients' learning rate goes from round to round, in
            place of ``lr_milestones``. The rate of a round is known before the run; momentum does not follow.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Cao et al., FLTrust, NDSS 2021, Algorithm 2.
    """

    def __init__(
        self,
        network: nn.Module,
        initialization: Initialization = "network",
        client_lr: float = 0.003,
        local_steps: int = 1,
        loss_reduction: LossReduction = "sum",
        root_batch_size: int | None = None,
        clients_per_round: int | None = None,
        num_byzantine: int | None = None,
        clients_per_chunk: int | Literal["auto"] = "auto",
        server_lr: float = 1.0,
        server_optimizer: OptimizerCallable | None = None,
        lr_milestones: list[int] | None = None,
        lr_gamma: float = 0.9,
        client_weight_decay: float = 0.0,
        client_momentum: float = 0.0,
        momentum_scaling: MomentumScaling = "none",
        client_optimizer: OptimizerCallable | None = None,
        client_optimizer_state: OptimizerState = "fresh",
        local_epochs: int | None = None,
        proximal: float = 0.0,
        clip_gradient: float | None = None,
        random_layers: RandomLayerDraws = "fresh",
        lr_schedule: LRSchedulerCallable | None = None,
    ) -> None:
        if not isinstance(network, nn.Module):
            raise InputError(
                f"model.network is a {type(network).__name__}: give a torch.nn.Module, an object and not its class"
            )
        super().__init__(network)
        self.automatic_optimization = False
        check_count("model.local_steps", local_steps)
        check_count("model.local_epochs", local_epochs)
        if local_epochs is not None and local_steps != 1:
            raise InputError(
                f"model.local_epochs={local_epochs} takes the place of model.local_steps={local_steps}: leave out one"
            )
        check_count("model.root_batch_size", root_batch_size)
        check_count("model.clients_per_round", clients_per_round)
        check_count("model.clients_per_chunk", None if clients_per_chunk == "auto" else clients_per_chunk)
        check_positive("model.client_lr", client_lr)
        check_positive("model.server_lr", server_lr)
        check_positive("model.lr_gamma", lr_gamma)
        check_choice("model.initialization", initialization, Initialization)
        check_choice("model.random_layers", random_layers, RandomLayerDraws)
        if any(milestone < 1 for milestone in lr_milestones or []):
            raise InputError(f"model.lr_milestones={shortened(lr_milestones)}: milestones are rounds, 1 or more")
        if lr_schedule is not None and lr_milestones:
            raise InputError(
                f"model.lr_milestones={shortened(lr_milestones)} and model.lr_schedule are two schedules: leave out one"
            )
        if server_optimizer is not None and server_lr != 1.0:
            raise InputError(f"model.server_lr={server_lr} has no effect with model.server_optimizer: set its own lr")
        self.initialization: Initialization = initialization
        self.client_lr = client_lr
        self.local_steps = local_steps
        self.local_settings = LocalSettings(
            loss_reduction,
            client_weight_decay,
            client_momentum,
            momentum_scaling,
            client_optimizer,
            client_optimizer_state,
            proximal,
            clip_gradient,
        )
        if client_optimizer is not None and client_lr != 0.003:
            rank_zero_warn(
                f"model.client_lr={client_lr} has no effect with model.client_optimizer, whose own lr counts"
            )
        self.local_epochs = local_epochs
        self.root_batch_size = root_batch_size
        self.clients_per_round = clients_per_round
        self.num_byzantine = num_byzantine
        self.clients_per_chunk: int | Literal["auto"] = clients_per_chunk
        self.server_lr = server_lr
        self.server_optimizer = server_optimizer
        self.lr_milestones = sorted(lr_milestones or [])
        self.lr_gamma = lr_gamma
        self.random_layers: RandomLayerDraws = random_layers
        self.lr_schedule = lr_schedule
        self.rates: Rates | None = None  # of the schedule, once rounds are known
        self.seed = 0
        self._is_initialized = False
        self._changed: set[str] = set()

    # Before the first round

    def configure_callbacks(self) -> list[Callback]:
        """Adds none; it is the only moment before others' hooks, and before Lightning deletes an earlier log."""
        check_callbacks(callbacks_of(self.trainer))
        write_safely(self.trainer)
        without_profiler(self.trainer)
        evaluate_briefly(self.trainer)
        take_in_nested(self.trainer)
        return []

    def setup(self, stage: str) -> None:
        """Finds rule, attack and data, lets the attack poison local data and checks every setting against them."""
        data = self.data
        check_trainer(self.trainer, data)
        data.move_to(self.trainer.strategy.root_device)
        # Else cuDNN's gradients of convolutions, and with them runs, are not the same bits twice; it costs no time.
        torch.backends.cudnn.deterministic = True
        self.normalization, self.seed = data.normalization, data.run_seed
        if stage == "fit":
            self._kept_by_attack = NOTHING
        attack = only(self.trainer, Attack)
        self.backdoor = backdoor_of(attack, data, self._kept_by_attack)
        self._learner = attack if attack is not None and attack.overrides("current_backdoor") else None
        check_token_ids(self.network, data, self.backdoor)
        check_monitors(
            callbacks_of(self.trainer),
            self,
            has_backdoor=self.backdoor is not None,
            has_validation=data.validation is not None,
        )
        self._conduct = check_network(self.network, data)
        if stage == "fit":
            self._set_up_training(data, attack)

    def _set_up_training(self, data: FederatedDataModule, attack: Attack | None) -> None:
        """Initialises the network and makes what trains it, from settings that fit each other."""
        data.train_dataloader()  # which says so where there is no number of rounds
        if not self._is_initialized:  # a second fit goes on from the first
            initialize(self.network, self.initialization, generator=generator(self.seed, "initialization"))
            self._is_initialized = True
        self._training = LocalTraining(self.network, self.local_settings, self.clients_per_chunk)
        optimizer = self._training.steps.optimizer
        if optimizer is not None:
            self.client_lr = optimizer.lr
        check_milestones(self.lr_milestones, self.lr_gamma, self.client_lr, num_rounds=self.trainer.max_steps)
        if self.lr_schedule is not None:
            self.rates = rates_of(self.lr_schedule, self.client_lr, num_rounds=self.trainer.max_steps)
            self.rates.check(self.client_lr, momentum=self.local_settings.momentum)
        check_schedule(attack, num_rounds=self.trainer.max_steps)
        self._set_up_rounds(data)
        check_memory(
            self.federation,
            local_steps=self.local_steps,
            local_epochs=self.local_epochs,
            batch_size=data.largest_batch,
        )
        self.steps = steps = self._training.steps
        steps.check(is_single=self.local_steps == 1 and self.local_epochs is None)
        self.kept = check_kept(
            self._reception.callbacks,
            self.federation,
            self._training.flat.num_params,
            by_clients=steps.numbers_kept(self.federation.num_clients),
        )

    def _set_up_rounds(self, data: FederatedDataModule) -> None:
        if self.server_optimizer is not None:
            check_server_optimizer(self.server_optimizer, self.network)
        self._reception = assemble(
            self._training,
            data,
            in_order(callbacks_of(self.trainer)),
            local_steps=self.local_steps,
            local_epochs=self.local_epochs,
            root_batch_size=self.root_batch_size,
            clients_per_round=self.clients_per_round,
            num_byzantine=self.num_byzantine,
            server_lr=self.server_lr,
            random_layers=self.random_layers,
            processes=Processes(self.trainer.global_rank, self.trainer.world_size),
        )
        self.rule, self.federation = self._reception.rule, self._reception.cohort.federation
        sizes = data.clients.sizes.tolist()
        self._reception.processes.check_agree({**self._settings(), "examples of each client": sizes})
        self._tensors_at_start = own_tensors(callbacks_of(self.trainer))
        # Before the first round: what a part counts or notes on the way is no setting.
        self._settings_of_parts = settings_in(self.rule, "aggregation")
        self._settings_of_parts |= settings_in(only(self.trainer, Attack), "attack")
        if self.server_optimizer is not None:
            self._settings_of_parts |= settings_in(self.configure_optimizers().param_groups[0], "server_optimizer")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The server's optimizer."""
        return self._optimizer_of(list(self.network.parameters()))

    def _optimizer_of(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        if self.server_optimizer is not None:
            return self.server_optimizer(parameters)
        return torch.optim.SGD(parameters, lr=self.server_lr)

    # One round

    @inspected
    def training_step(self, batch: Any, batch_idx: int) -> None:
        """One round: local training, attack, aggregation and the server's step (Algorithm 2)."""
        # The loader's position may be one off after a crash; the optimizer's step count, saved with it, never is.
        number = self.trainer.global_step
        round, aggregate = self._reception.aggregate(number, self.round_lr(number))
        self._server_step(None if aggregate is None else aggregate.update)
        if aggregate is None:
            rank_zero_warn(
                "a round had no usable aggregate (all updates, the root's or what the rule made of them not finite):"
                " model unchanged"
            )
            aggregate = Aggregate(torch.zeros_like(self._training.flat.flatten()))
        elif aggregate.statistics is not None:
            move_statistics(self.network, aggregate.statistics)
        if self._learner is not None:
            self._kept_by_attack = self._reception.memories.of(self._learner)
        self._reception.end(self.trainer, round, aggregate)

    def _server_step(self, update: Tensor | None) -> None:
        """``w <- w + server_lr * update``, or what the server's optimizer makes of it; None leaves w alone."""
        pieces = {} if update is None else self._training.flat.unflatten(-update)
        for name, parameter in self._training.flat.trained.items():
            parameter.grad = pieces.get(name)  # an optimizer skips parameters without a gradient
        optimizer = self.optimizers()
        assert not isinstance(optimizer, list)
        optimizer.step()

    def round_lr(self, number: int) -> float:
        """The clients' learning rate in a round."""
        if self.rates is not None:
            return self.rates.values[number]
        return self.client_lr * self.lr_gamma ** bisect_right(self.lr_milestones, number)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Makes Lightning evaluate after the last round, whatever the interval."""
        if self.trainer.global_step >= self.trainer.max_steps > 0:
            self.trainer.should_stop = True

    # Checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds what a resumed run is checked against."""
        checkpoint["flt"] = as_plain(self._settings_of_all())
        checkpoint["callbacks"] = as_plain(checkpoint.get("callbacks", {}))
        for name, state in checkpoint["callbacks"].items():
            check_readable(state, f"{name}.state_dict")
        if self.trainer.state.fn == "fit":
            checkpoint.update(keep(self._reception, callbacks_of(self.trainer), self._tensors_at_start))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuses a checkpoint that this run cannot go on from, and warns of settings that differ from its own.

        Everything is looked at here, before Lightning restores the first part of it.

        Raises:
            InputError: If it is damaged, or if the model, data set, seed, root dataset or server optimizer is another.
        """
        with naming_checkpoint(self.trainer):
            own = self._settings_of_all()
            check_fits(checkpoint, self.trainer, self.state_dict(), own)
            if self.trainer.state.fn == "fit":
                self._changed = {each.setting for each in differences(checkpoint["flt"], own)}
                check_optimizer(checkpoint["optimizer_states"][0], self.network.parameters(), self._optimizer_of)
                take_up(checkpoint, self._reception, callbacks_of(self.trainer))
            if self._learner is not None:
                self._kept_by_attack = memory_in(checkpoint, self._learner, self.trainer.strategy.root_device)

    def on_train_start(self) -> None:
        """Lets settings of the server's optimizer that have changed win over those that a checkpoint brings."""
        configured = self.configure_optimizers().param_groups
        for group, own in zip(self.trainer.optimizers[0].param_groups, configured, strict=True):
            names = {name for name in own if f"server_optimizer.{name}" in self._changed}
            names |= {"lr"} if "server_lr" in self._changed else set()
            group.update({name: own[name] for name in names})

    def _settings_of_all(self) -> dict[str, Any]:
        """`_settings`, and for training what its parts were made with."""
        return self._settings() | (self._settings_of_parts if self.trainer.state.fn == "fit" else {})

    def _settings(self) -> dict[str, Any]:
        """What matters for going on from a checkpoint, as plain values."""
        settings = settings_of_data(self.data, seed=self.seed)
        if self.trainer.state.fn != "fit":
            return settings
        return settings | {
            "server_optimizer": type(self.configure_optimizers()).__name__,
            **{name: getattr(self, name) for name in OF_MODEL},
            **self._training.steps.plain(),
            "lr_schedule": self.rates and self.rates.label,
            **settings_of_rounds(self.data, self.federation, self.rule, only(self.trainer, Attack)),
        }

    @property
    def cohort(self) -> Cohort:
        """Who trains in a round, once rounds are set up."""
        return self._reception.cohort
