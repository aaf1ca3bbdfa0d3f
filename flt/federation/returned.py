"""Whether plug-ins return what they should: a mistake there would end in wrong numbers rather than in an error."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from flt.clients.one_by_one import LocalUpdates
from flt.data.backdoor import Backdoor
from flt.data.examples import ClientData
from flt.errors import InputError
from flt.federation.judgement import Judgement
from flt.federation.round import BY_CLIENT, Aggregate, Federation, Round
from flt.runs.states import times_changed


def is_like(found: Any, expected: Tensor, *, length: int | None = None) -> bool:
    """Whether ``found`` is a plain tensor with the shape, dtype and device of ``expected``.

    Args:
        found: What a plug-in has returned.
        expected: A tensor as it should be.
        length: Size of the first dimension in its place.
    """
    return (
        isinstance(found, Tensor)
        and found.dtype == expected.dtype
        and found.device == expected.device
        and found.layout == torch.strided
        and found.shape == (expected.shape if length is None else (length, *expected.shape[1:]))
        and not found.requires_grad
    )


def described(found: Any) -> str:
    """What a plug-in has returned, in words.

    Example:
        >>> described(torch.zeros(6, 2, dtype=torch.float64))
        'a float64 tensor of shape [6, 2]'
        >>> described([1.0])
        'a list'
    """
    if not isinstance(found, Tensor):
        shape = f" of shape {list(found.shape)}" if isinstance(getattr(found, "shape", None), tuple) else ""
        return _with_article(f"{type(found).__module__}.{type(found).__qualname__}".removeprefix("builtins.")) + shape
    kind = str(found.dtype).removeprefix("torch.")
    layout = "" if found.layout == torch.strided else f"{str(found.layout).removeprefix('torch.')} "
    place = "" if found.device.type == "cpu" else f" on {found.device}"
    graph = " that requires a gradient" if found.requires_grad else ""
    return _with_article(f"{layout}{kind} tensor of shape {list(found.shape)}{place}{graph}")


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def check_crafted(source: str, found: Any, round: Round) -> Tensor:
    """The crafted updates, if they are such.

    Args:
        source: Who returned them, such as ``"MyAttack.craft"``.
        found: What was returned.
        round: The round as it was.

    Raises:
        InputError: If they are not a tensor like ``round.updates``.
    """
    if is_like(found, round.updates):
        return found  # type: ignore[no-any-return]
    hint = "a row for each client, in their order, the benign ones as they were"
    num_malicious = int(round.malicious.sum())
    if isinstance(found, Tensor) and found.ndim == 2 and len(found) == num_malicious < len(round):
        hint = f"all rows, not the {num_malicious} malicious ones alone (round.malicious says which those are)"
    raise InputError(f"{source} returned {described(found)} in round {round.number}: {_wanted(round.updates, hint)}")


def check_trained(source: str, found: Any, usual: LocalUpdates, *, number: int) -> LocalUpdates:
    """The updates that an attack has trained, if they are such.

    Args:
        source: Who returned them, such as ``"MyAttack.train"``.
        found: What was returned.
        usual: What usual training gave the same clients.
        number: The round.

    Raises:
        InputError: If they are no updates like the usual ones.
    """
    if not isinstance(found, LocalUpdates):
        raise InputError(
            f"{source} returned {described(found)} in round {number}: return what local.sgd gives, or None"
        )
    for name, own, like in zip(LocalUpdates._fields, found, usual, strict=True):
        if not is_like(own, like):
            wanted = _wanted(like, "a row for each of the malicious clients of the part")
            raise InputError(f"{source} returned {described(own)} as {name} in round {number}: {wanted}")
    return found


def check_weights(source: str, found: Any, round: Round) -> Tensor:
    """What a rule lets each client count, if it is that.

    Args:
        source: Who returned it, such as ``"MyRule.weigh"``.
        found: What was returned.
        round: The round.

    Raises:
        InputError: If it is not a tensor of ``[num_clients]`` where the updates are.
    """
    like = round.rows.updates
    if isinstance(found, Tensor) and found.shape == (len(round),) and found.device == like.device:
        return found
    raise InputError(
        f"{source} returned {described(found)} in round {round.number}: return a tensor of shape [{len(round)}] on"
        f" {like.device}, what each client counts"
    )


@contextmanager
def left_alone(source: str, what: str, tensors: Iterable[Tensor]) -> Iterator[None]:
    """Raises an `InputError` where what is done meanwhile changes tensors in place, which others go on with.

    Args:
        source: Who is at work, such as ``"MyAttack.craft"``.
        what: What is to be left alone, such as ``"the updates of round 3"``.
        tensors: These.
    """
    tensors = list(tensors)
    before = list(map(times_changed, tensors))
    yield
    if list(map(times_changed, tensors)) != before:
        raise InputError(
            f"{source} changed {what} in place, which others go on with: change a copy, as of tensor.clone()"
        )


def check_asked(updates: Tensor, round: Round) -> None:
    """Raises an `InputError` unless ``round.rule`` is asked with a row for each client of the round."""
    if updates.shape != round.updates.shape:
        raise InputError(
            f"round.rule was given {described(updates)} in round {round.number}: give it a row for each client, of"
            f" shape {list(round.updates.shape)}"
        )


def check_poisoned(source: str, found: Any, federation: Federation) -> None:
    """Raises an `InputError` unless what an attack has made of the local data is local data of the same clients."""
    if not isinstance(found, ClientData):
        raise InputError(f"{source} returned {described(found)}: return flt.data.ClientData, or None for no change")
    before, classes = federation.clients, federation.num_classes
    if len(found.offsets) != len(before.offsets):
        raise InputError(
            f"{source} returned the data of {len(found.offsets) - 1} clients, there are {len(before.offsets) - 1}: keep"
            " an offset for each client and one more"
        )
    for name in ("features", "labels"):
        rows, was = getattr(found, name), getattr(before, name)
        if not is_like(rows, was, length=len(found.labels)):
            wanted = _wanted(was, "a row for each example", length=len(found.labels))
            raise InputError(f"{source} returned {described(rows)} as {name}: {wanted}")
    if len(found.labels) and not 0 <= int(found.labels.min()) <= int(found.labels.max()) < classes:
        low, high = int(found.labels.min()), int(found.labels.max())
        raise InputError(f"{source} returned labels from {low} to {high}: the classes are 0 to {classes - 1}")


def check_backdoor(source: str, found: Any, features: Tensor, num_classes: int) -> None:
    """Raises an `InputError` unless an attack's backdoor keeps the shape of examples and aims at a class.

    Args:
        source: Who returned it, such as ``"MyAttack.backdoor"``.
        found: What was returned; None is no backdoor.
        features: A few examples, shape ``[num_examples, *shape]``.
        num_classes: Number of classes.
    """
    if found is None:
        return
    if not isinstance(found, Backdoor):
        raise InputError(f"{source} returned {described(found)}: return flt.federation.Backdoor, or None for none")
    target = found.target_class
    if isinstance(target, bool) or not isinstance(target, int) or not 0 <= target < num_classes:
        raise InputError(f"attack.target_class={target!r} must be one of 0 to {num_classes - 1} ({source})")
    triggered = found.trigger(features.clone())
    if not is_like(triggered, features):
        wanted = _wanted(features, "the examples with the trigger")
        raise InputError(f"the trigger of {source} made of {described(features)} {described(triggered)}: {wanted}")


def check_benign_kept(source: str, crafted: Tensor, round: Round) -> None:
    """Raises an `InputError` if an attack has changed what benign clients send."""
    benign = (~round.malicious).to(crafted.device)
    now, before = crafted[benign], round.updates[benign]
    changed = ((now != before) & ~(now.isnan() & before.isnan())).any(dim=1)
    if changed.any():
        raise InputError(
            f"{source} changed the updates of {int(changed.sum())} of {int(benign.sum())} benign clients in round"
            f" {round.number}: change the rows alone where round.malicious is True"
        )


def check_round(source: str, found: Any, before: Round, *, may_drop: bool) -> Round:
    """The round that a hook has returned, if it is one.

    Args:
        source: Who returned it, such as ``"Clipping.on_updates_received"``.
        found: What was returned.
        before: The round that was given.
        may_drop: Whether it may have fewer clients.

    Raises:
        InputError: If it is no round, or one whose rows do not fit.
    """
    if not isinstance(found, Round):
        raise InputError(
            f"{source} returned {described(found)} in round {before.number}: return round.replace(updates=...), or None"
            " to leave the round as it is"
        )
    num_clients = len(found.client_ids)
    if num_clients > len(before) or (num_clients < len(before) and not may_drop):
        raise InputError(
            f"{source} returned a round of {num_clients} clients for one of {len(before)} in round {before.number}:"
            " keep a row for each client" + (" or drop some by round.keep(mask)" if may_drop else "")
        )
    for name in BY_CLIENT:
        rows, was = getattr(found, name), getattr(before, name)
        if rows is not was and not is_like(rows, was, length=num_clients):
            wanted = _wanted(was, "a row for each client", length=num_clients)
            raise InputError(f"{source} returned {described(rows)} as {name} in round {before.number}: {wanted}")
    return found


def check_aggregate(source: str, found: Any, round: Round, *, num_params: int, thorough: bool) -> Aggregate | None:
    """The aggregate that a rule has returned, if it is one.

    Args:
        source: Who returned it, such as ``"MyRule.aggregate"``.
        found: What was returned.
        round: The round that was given.
        num_params: Entries of an update.
        thorough: Whether to look for NaNs in the judgement as well.

    Raises:
        InputError: If it is none, or does not fit the round.
    """
    if found is None:
        return None
    if not isinstance(found, Aggregate):
        raise InputError(f"{source} returned {described(found)}: return Aggregate(update), update of [{num_params}]")
    like = round.rows.updates  # of mixtures nobody has to write down a row
    _check_vector(f"{source} returned", "update", found.update, like, num_params)
    if found.statistics is not None:
        length = round.statistics.shape[1] or None  # a round that came in parts has no columns left
        _check_vector(f"{source} returned", "statistics", found.statistics, like, length)
    # Where the update itself is not finite, the server skips the round.
    thorough = thorough and bool(found.update.isfinite().all())
    _check_judgement(source, found.judgement, len(round), thorough=thorough)
    return found


def _check_vector(returned: str, name: str, found: Any, like: Tensor, length: int | None) -> None:
    """Raises an `InputError` unless ``found`` is a vector like ``like``, of this length; None is any length."""
    wanted = like.new_empty(len(found) if length is None and isinstance(found, Tensor) and found.ndim else length or 0)
    if not is_like(found, wanted):
        raise InputError(f"{returned} {described(found)} as {name}: {_wanted(wanted, 'an entry for each parameter')}")


def _check_judgement(source: str, judgement: Any, num_clients: int, *, thorough: bool) -> None:
    if not isinstance(judgement, Judgement):
        raise InputError(f"{source} returned {described(judgement)} as judgement: give a flt.federation.Judgement")
    for name, values in judgement.vectors.items():
        if not isinstance(values, Tensor) or values.shape != (num_clients,):
            raise InputError(
                f"{source} returned {described(values)} as the judgement's {name}: give a tensor of shape"
                f" [{num_clients}], a number for each client"
            )
        # Lengths in terms of a root update that is zero are infinite.
        if thorough and name != "norm_ratios" and bool(values.isnan().any()):
            raise InputError(f"{source} returned a NaN in the judgement's {name}: give a number for each client")


def _wanted(like: Tensor, hint: str, *, length: int | None = None) -> str:
    shape = list(like.shape) if length is None else [length, *like.shape[1:]]
    kind = str(like.dtype).removeprefix("torch.")
    return f"return a dense {kind} tensor of shape {shape} on {like.device} without gradient, {hint}"
