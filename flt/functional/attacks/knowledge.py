"""What malicious clients know of the others."""

from typing import Literal

Knowledge = Literal["full", "partial"]
