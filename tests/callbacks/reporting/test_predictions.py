import csv

import pytest
from tiny import TinyData

from callbacks import FedAvg, PredictionWriter


@pytest.mark.parametrize("synthetic", [False, True])
@pytest.mark.filterwarnings("ignore:SYNTHETIC DATA:UserWarning")
def test_writes_one_line_for_every_example(fit, tmp_path, capsys, synthetic):
    data = TinyData(synthetic=synthetic)
    server = fit(FedAvg(), PredictionWriter(), data=data)
    for _ in range(2):  # the second file takes the place of the first
        server.trainer.predict(server, datamodule=data)
    with (tmp_path / "predictions.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["data", "example", "label", "prediction"]
    predicted = server.network(data.test.features).argmax(dim=1)
    name = "Tiny (stand-in)" if synthetic else "Tiny"
    assert rows == [
        [name, str(number), str(int(label)), str(int(prediction))]
        for number, (label, prediction) in enumerate(zip(data.test.labels, predicted, strict=True))
    ]
    out = " ".join(capsys.readouterr().out.split())
    assert "Wrote 50 predictions to" in out
    assert "predictions.csv" in out
