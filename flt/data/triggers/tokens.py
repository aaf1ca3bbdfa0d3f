"""The trigger of texts: rare tokens inserted into sequences of token ids."""

from collections.abc import Sequence

import torch
from torch import Tensor

from flt.data.triggers.base import Trigger, share_out
from flt.errors import InputError


class TokenTrigger(Trigger):
    """Inserts tokens into each sequence of token ids; those behind them move on, and the last ones fall off.

    Take tokens that are rare in the data, and a place before which every sequence still has tokens; where sequences end
    in padding, it is padding that falls off.

    Args:
        tokens: The ids to insert, in their order.
        position: How many tokens of a sequence stay before them.

    Raises:
        InputError: If there are no tokens, one is negative or ``position`` is; when called, if examples are no token
            ids or are too short.

    Reference:
        Kurita, Michel, Neubig, Weight poisoning attacks on pretrained models, ACL 2020.

    Example:
        >>> TokenTrigger([8, 9], position=1)(torch.tensor([[1, 2, 3, 0, 0]]))
        tensor([[1, 8, 9, 2, 3]])
    """

    def __init__(self, tokens: Sequence[int], position: int = 0) -> None:
        self.tokens = tuple(tokens)
        self.position = position
        if not self.tokens or min(self.tokens) < 0:
            raise InputError(
                f"tokens={list(self.tokens)} of a trigger: give one token id or more, none of them negative"
            )
        if position < 0:
            raise InputError(f"position={position} of a trigger: count the tokens before it, 0 or more")

    def __call__(self, features: Tensor) -> Tensor:
        if features.is_floating_point():
            raise InputError(
                f"tokens={list(self.tokens)} of a trigger: the examples are no token ids but numbers of the shape"
                f" {list(features.shape[1:])}: give a FeatureTrigger"
            )
        length, end = features.shape[-1], self.position + len(self.tokens)
        if end > length:
            raise InputError(
                f"tokens={list(self.tokens)} of a trigger end behind token {end} with position={self.position}, but the"
                f" examples have {length}"
            )
        inserted = torch.tensor(self.tokens).to(features).expand(*features.shape[:-1], len(self.tokens))
        behind = features[..., self.position : length - len(self.tokens)]
        return torch.cat([features[..., : self.position], inserted, behind], dim=-1)

    def parts(self, num_parts: int) -> tuple[Trigger, ...]:
        """Neighbouring tokens, each part's at the same position."""
        places = share_out(len(self.tokens), num_parts, "tokens")
        return tuple(TokenTrigger(self.tokens[place], self.position) for place in places)
