"""Human activity recognition from smartphone sensors (UCI HAR), whose clients are its users."""

from typing import Any

from torch import Tensor

from flt.data.datamodule import FederatedDataModule
from flt.data.examples import Examples, RawData
from flt.data.inputs import Normalization
from flt.data.readers.har import NUM_CLASSES, read_har
from flt.data.readers.har_archive import ARCHIVE
from flt.data.splits import split_by_owner
from flt.data.stand_ins.har import synthetic_har
from flt.data.stand_ins.policy import StandInPolicy, real_or_stand_in
from flt.data.triggers import HAR_TRIGGER, Trigger
from flt.random import generator

TRAIN_FRACTION = 0.75


class HAR(FederatedDataModule):
    """UCI HAR: 561 features of 10,299 windows of 30 users, six activities; each user is a client.

    Of each user's examples 75 % at random are for training. Every feature is standardised to mean 0 and variance 1
    over the training data; the backdoor trigger sets features of the standardised examples to 0.

    The data are read from ``data_dir``: the folder ``UCI HAR Dataset``, the archive ``UCI HAR Dataset.zip`` or UCI's
    newer ``human+activity+recognition+using+smartphones.zip``, which is downloaded if there is none of them.

    Args:
        data_dir: Folder of data sets; null means $FLT_DATA, or "data" if that is not set.
        stand_in: Whether synthetic data may take the place of the real ones.
        root_size: Number of examples of the server's root dataset.
        bias_probability: Fraction of the root dataset that is of ``biased_class``; null for a uniform root dataset.
        biased_class: The class that a biased root dataset prefers, 0 to 5.
        batch_size: Examples per client and local step; null is all that a client has.
        eval_batch_size: Examples per batch of an evaluation.
        root_path: The server's own data to draw the root dataset from, an .npz file with standardised x, and y.
        settings: The other arguments of `FederatedDataModule` but those that deal out examples or augment images.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Anguita et al., "A public domain dataset for human activity recognition using smartphones", ESANN 2013.
    """

    dataset_name = "HAR"
    num_classes = NUM_CLASSES
    class_names = ("walking", "walking upstairs", "walking downstairs", "sitting", "standing", "laying")
    trigger: Trigger = HAR_TRIGGER
    target_class = 1

    def __init__(
        self,
        data_dir: str | None = None,
        stand_in: StandInPolicy = "never",
        root_size: int = 100,
        bias_probability: float | None = None,
        biased_class: int = 1,
        batch_size: int | None = 32,
        eval_batch_size: int = 1024,
        root_path: str | None = None,
        **settings: Any,
    ) -> None:
        # The first three are named here, so that the command line does not offer what would have no effect.
        super().__init__(
            num_clients=1,
            partition=None,
            inputs=None,
            data_dir=data_dir,
            stand_in=stand_in,
            root_size=root_size,
            bias_probability=bias_probability,
            biased_class=biased_class,
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            root_path=root_path,
            **settings,
        )

    def load(self, seed: int) -> RawData:
        """Reads the data or makes the stand-in, splits each user's examples and standardises the features.

        Raises:
            InputError: If the files are damaged, or there are none and ``stand_in`` is ``"never"``.
        """
        (examples, users), is_stand_in = real_or_stand_in(
            self.stand_in,
            real=lambda: read_har(self.data_folder),
            stand_in=synthetic_har,
            remedy=f"copy {ARCHIVE!r} to data.data_dir={str(self.data_folder)!r}",
        )
        is_train = split_by_owner(users, TRAIN_FRACTION, generator=generator(seed, "split"))
        features = standardised(examples.features, is_train)
        examples = Examples(features, examples.labels)
        train, test = examples[is_train], examples[~is_train]
        return RawData(train, users[is_train], test, is_stand_in, test_owners=users[~is_train])


def standardised(features: Tensor, is_train: Tensor) -> Tensor:
    """Features shifted and scaled to mean 0 and population variance 1 over the training examples.

    Args:
        features: Float32 of shape ``[num_examples, num_features]``.
        is_train: Boolean mask of the training examples, shape ``[num_examples]``.

    Returns:
        A new float32 tensor of the same shape; a feature that is constant over the training examples is only shifted.
    """
    return Normalization.over(features[is_train].double())(features).float()
