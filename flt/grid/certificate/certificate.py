"""The certificate of a vote: its numbers, and its files."""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from flt import functional as F
from flt.display.figure_style import USUAL, FigureStyle
from flt.files import write_atomically
from flt.grid.certificate.groups import Groups


@dataclass(frozen=True)
class Certificate:
    """What a vote of models is right about, and how many malicious clients cannot change that.

    Attributes:
        title: Data and rule.
        groups: Who trained the models.
        labels: Of the test examples, int64 of shape ``[num_test]``.
        votes: Int64 of shape ``[num_test, num_classes]``.
        certified: Malicious clients that each example withstands, -1 where not even its label is certain.
        model_errors: Testing error rate of each model.
    """

    title: str
    groups: Groups
    labels: Tensor
    votes: Tensor
    certified: Tensor
    model_errors: Tensor

    @classmethod
    def of(cls, title: str, groups: Groups, predictions: Tensor, labels: Tensor, num_classes: int) -> "Certificate":
        """The certificate of models that predict so, ``[num_models, num_test]``, for examples with these labels."""
        draws = torch.tensor(groups.draws)
        votes = F.count_votes(predictions.repeat_interleave(draws, dim=0), num_classes)
        n, k, alpha = groups.num_clients, groups.clients_per_model, groups.alpha
        if k is None:
            certified = F.certified_by_groups(votes)
        elif alpha is None:
            certified = F.certified_by_all(votes, num_clients=n, clients_per_model=k)
        else:
            certified = F.certified_by_sample(votes, num_clients=n, clients_per_model=k, alpha=alpha)
        return cls(title, groups, labels, votes, certified, (predictions != labels).double().mean(dim=1))

    @property
    def elected(self) -> Tensor:
        """The class that wins the vote on each example."""
        return F.elected(self.votes)

    @property
    def curve(self) -> list[float]:
        """Certified accuracy under 0, 1, ... malicious clients, up to the first 0."""
        return F.certified_shares(self.certified, self.elected == self.labels)

    @property
    def vote_error(self) -> float:
        """Testing error rate of the vote, without an attack."""
        return float((self.elected != self.labels).double().mean())

    def as_csv(self) -> str:
        """A row for each test example."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["example", "label", "elected", "votes", "margin", "certified"])
        of = self.votes.amax(dim=1), F.vote_margin(self.votes), self.certified
        columns = [column.tolist() for column in (self.labels, self.elected, *of)]
        writer.writerows([number, *row] for number, row in enumerate(zip(*columns, strict=True)))
        return text.getvalue()

    def as_json(self) -> str:
        """Groups and curve, for programs."""
        groups = self.groups
        content: dict[str, Any] = {
            "title": self.title,
            "num_clients": groups.num_clients,
            "clients_per_model": groups.clients_per_model,
            "alpha": groups.alpha,
            "groups": [
                {"clients": list(members), "draws": draws, "testing_error_rate": error}
                for members, draws, error in zip(groups.members, groups.draws, self.model_errors.tolist(), strict=True)
            ],
            "vote_error_rate": self.vote_error,
            "certified_accuracy": self.curve,
        }
        return json.dumps(content, indent=1) + "\n"

    def as_markdown(self) -> str:
        """The curve as a table."""
        rows = "".join(f"| {number} | {share:.3f} |\n" for number, share in enumerate(self.curve))
        return (
            f"# Certified accuracy: {self.title}\n\n{self.describe()}\n\n"
            f"| malicious clients, at most | certified accuracy |\n|---|---|\n{rows}"
        )

    def describe(self) -> str:
        """Who votes, and how well without an attack."""
        return (
            f"{self.groups.describe()}; testing error of the vote {self.vote_error:.3f}, of its models"
            f" {float(self.model_errors.mean()):.3f} on average."
        )

    def write(self, folder: Path, style: FigureStyle = USUAL) -> None:
        """Writes ``certificate.csv``, ``.json``, ``.md`` and ``.png``."""
        from flt.display.drawing import as_file  # here, as the help does without matplotlib
        from flt.grid.certificate.picture import draw_certificate

        texts: dict[str, str | bytes] = {"csv": self.as_csv(), "json": self.as_json(), "md": self.as_markdown()}
        canvas = draw_certificate(f"{self.title}: {self.groups.describe()}", self.curve, 1 - self.vote_error, style)
        pictures: dict[str, str | bytes] = {
            ending: as_file(canvas, f"certificate.{ending}", style) for ending in style.formats
        }
        for files in (texts, pictures):
            for ending, content in files.items():
                write_atomically(folder / f"certificate.{ending}", content)
