"""A deployed federation on this machine: SuperLink, SuperNodes and apps as processes on the loopback address.

    python benchmarks/flower_federation.py --folder /tmp/federation --rounds 50

Ten clients of HAR (three of its users each), FLTrust under the Scaling attack by a client mod, as `flt export` writes
it; an eleventh node sends hostile replies and claims the place of client 3, whose node is killed in the middle and
started anew. Prints the result beside the simulator's. With --secure everything goes through TLS, and nodes prove
registered keys.

Flower starts a process for every message, and importing torch and Lightning takes it some six seconds. Here a process
that has imported them forks one for each message, in the name of `flwr-clientapp`, unless --cold is given.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
PORT = 8000  # of all that a SuperLink offers, in Flower 1.42
SHIM = """#!{python} -SE
import json, os, socket, sys
link = socket.socket(socket.AF_UNIX)
link.connect({socket!r})
link.sendall(json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode() + b"\\n")
link.recv(1)
"""
HOSTILE = '''

def hostile(message, context, call_next):  # type: ignore[no-untyped-def]
    """The eleventh node sends something else each round that no server should believe."""
    if not context.node_config.get("hostile"):
        return call_next(message, context)
    import numpy as np
    from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict

    number = int(message.content["config"]["server-round"])
    arrays = {name: array.numpy() for name, array in message.content["arrays"].items()}
    first = next(iter(arrays))
    kinds = ("nan", "shape", "extra", "bytes", "names", "error", "impostor")
    kind = kinds[number % len(kinds)]
    if kind == "error":
        raise RuntimeError("hostile")
    if kind == "nan":
        arrays[first] = arrays[first] * np.nan
    if kind == "shape":
        arrays[first] = arrays[first][:1]
    if kind == "names":
        arrays["more"] = arrays[first]
    records = {name: Array(value) for name, value in arrays.items()}
    if kind == "bytes":
        records[first] = Array("float32", (10**9,), "numpy.ndarray", b"no array at all")
    content = RecordDict({"arrays": ArrayRecord(records)})
    if kind == "extra":
        content["again"] = ArrayRecord(records)
    content["metrics"] = MetricRecord({"num-examples": 10**12, "client": 3, "train-loss": float("nan")})
    return Message(content, reply_to=message)


'''


def write_data(path: Path) -> None:
    """HAR as one file of arrays, its 30 users dealt out to 10 clients."""
    from flt.data import HAR

    raw = HAR().load(0)
    np.savez(
        path,
        x_train=raw.train.features.numpy(),
        y_train=raw.train.labels.numpy(),
        x_test=raw.test.features.numpy(),
        y_test=raw.test.labels.numpy(),
        client_ids=raw.owners.numpy() % 10,
    )


def settings(folder: Path, rounds: int) -> list[str]:
    own = {
        "data": {"class_path": "Arrays", "init_args": {"path": str(folder / "har.npz"), "batch_size": 32}},
        "attack": {
            "class_path": "ScalingAttack",
            "init_args": {
                "trigger": {"class_path": "FeatureTrigger", "init_args": {"indices": [*range(0, 561, 20)]}},
                "target_class": 1,
            },
        },
        "trainer": {
            "log_every_n_steps": 1,
            "logger": {"class_path": "CSVLogger", "init_args": {"save_dir": str(folder / "runs"), "name": "har"}},
        },
    }
    (folder / "settings.yaml").write_text(json.dumps(own))
    files = [ROOT / "configs" / "har_fltrust.yaml", folder / "settings.yaml"]
    return [f"--config={path}" for path in files] + [f"--trainer.max_steps={rounds}"]


def start_warm(folder: Path, app: Path, path: Path) -> int:
    """Forks a process that has imported everything; it forks one for each message."""
    address = str(folder / "warm.sock")
    (path / "flwr-clientapp").write_text(SHIM.format(python=sys.executable, socket=address))
    (path / "flwr-clientapp").chmod(0o755)
    pid = os.fork()
    if pid:
        while not Path(address).exists():
            time.sleep(0.2)
        return pid
    from flwr.supernode.cli import flwr_clientapp

    from flt.flower import ConfiguredClients

    rounds = next(line for line in (app / "pyproject.toml").read_text().splitlines() if "num-server-rounds" in line)
    config = str(app / "flt_app" / "config.yaml")
    ConfiguredClients.of(["--config", config, f"--trainer.max_steps={rounds.split('=')[1].strip()}"])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen(64)
    while True:
        link, _ = server.accept()
        if os.fork():
            link.close()
            continue
        argv, cwd, environment = json.loads(link.makefile().readline())
        sys.argv = argv
        os.chdir(cwd)
        os.environ.update(environment)
        log = os.open(folder / "apps.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            flwr_clientapp()
        finally:
            os._exit(0)


class Federation:
    """The processes of the federation, all of which end with it."""

    def __init__(self, folder: Path, *, is_secure: bool) -> None:
        self.folder, self.is_secure, self.processes = folder, is_secure, {}
        bin_folder = folder / "bin"
        bin_folder.mkdir()
        self.environment = {
            **os.environ,
            "PATH": f"{bin_folder}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "FLWR_HOME": str(folder / "home"),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.2",
            "OMP_NUM_THREADS": "1",
        }
        (folder / "home").mkdir()
        trust = f'root-certificates = "{folder / "ca.crt"}"' if is_secure else "insecure = true"
        (folder / "home" / "config.toml").write_text(f'[superlink.here]\naddress = "127.0.0.1:{PORT}"\n{trust}\n')
        if is_secure:
            self._make_keys()

    def start(self, name: str, *command: str) -> None:
        log = (self.folder / f"{name}.log").open("a")
        self.processes[name] = subprocess.Popen(
            command, stdout=log, stderr=log, env=self.environment, cwd=self.folder, start_new_session=True
        )

    def run(self, *command: str) -> str:
        done = subprocess.run(command, env=self.environment, cwd=self.folder, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: {done.stdout} {done.stderr}")
        return done.stdout

    def start_superlink(self) -> None:
        own = [f"--ssl-{name}={self.folder / file}" for name, file in CERTIFICATES.items()]
        trust = [*own, "--enable-supernode-auth"] if self.is_secure else ["--insecure"]
        self.start("superlink", "flower-superlink", *trust)

    def start_node(self, number: int, partition: int, more: str = "") -> None:
        trust = ["--insecure"]
        if self.is_secure:
            key = self.folder / f"node_{number}"
            trust = [f"--root-certificates={self.folder / 'ca.crt'}", f"--auth-supernode-private-key={key}"]
        config = f"partition-id={partition} num-partitions=10 {more}".strip()
        own = ["--host", "127.0.0.1", "--port", str(9200 + number), "--node-config", config]
        self.start(f"node{number}", "flower-supernode", "--superlink", f"127.0.0.1:{PORT}", *trust, *own)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        process = self.processes.pop(name)
        os.killpg(process.pid, number)
        process.wait()

    def _make_keys(self) -> None:
        san = self.folder / "san"
        san.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
        for line in (
            "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=federation",
            "openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost",
            "openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.pem -days 2"
            f" -extfile {san}",
        ):
            self.run(*line.split())
        for number in range(11):
            self.run("ssh-keygen", "-q", "-t", "ecdsa", "-b", "384", "-N", "", "-f", f"node_{number}")


CERTIFICATES = {"ca-certfile": "ca.crt", "certfile": "server.pem", "keyfile": "server.key"}


def rounds_of(folder: Path) -> int:
    """Rounds that are done, of each of which there is a row after that of round 0."""
    found = list(folder.glob("runs/har/version_*/metrics.csv"))
    return max(0, len(found[0].read_text().splitlines()) - 2) if found else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--secure", action="store_true")
    parser.add_argument("--cold", action="store_true", help="a process of its own for every message")
    parser.add_argument("--steady", action="store_true", help="no node is killed")
    options = parser.parse_args()
    folder: Path = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_data(folder / "har.npz")
    given = settings(folder, options.rounds)
    app = folder / "app"
    from flt.main import main as flt

    assert flt(["export", "--flower", str(app), *given]) == 0
    client = app / "flt_app" / "client_app.py"
    text = client.read_text().replace("\n\ndef attack(", HOSTILE.rstrip() + "\n\n\ndef attack(", 1)
    client.write_text(text.replace("mods=[attack]", "mods=[hostile, attack]"))
    settings_file = app / "pyproject.toml"
    settings_file.write_text(settings_file.read_text().replace("round-timeout = 3600.0", "round-timeout = 30.0"))

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    federation, warm = Federation(folder, is_secure=options.secure), None
    began = time.monotonic()
    try:
        if not options.cold:
            warm = start_warm(folder, app, folder / "bin")
        federation.start_superlink()
        time.sleep(5)
        if options.secure:
            for number in range(11):
                federation.run("flwr", "supernode", "register", f"node_{number}.pub", "here")
        for number in range(10):
            federation.start_node(number, number)
        federation.start_node(10, 3, "hostile=true")
        federation.run("flwr", "run", str(app), "here")
        killed = restarted = None
        seen, changed = 0, time.monotonic()
        while (done := rounds_of(folder)) < options.rounds:
            now = time.monotonic()
            if killed is None and not options.steady and done >= options.rounds // 2:
                federation.kill("node3")
                killed = now
                print(f"{now - began:.0f} s: node 3 killed after round {done}", flush=True)
            if killed and restarted is None and now - killed > 20:
                federation.start_node(3, 3)
                restarted = now
                print(f"{now - began:.0f} s: node 3 started anew after round {done}", flush=True)
            if done > seen:
                seen, changed = done, now
            if now - changed > 400 or federation.processes["superlink"].poll() is not None:
                raise SystemExit(f"nothing has happened since round {done}: see {folder}/superlink.log")
            time.sleep(1)
        print(f"{time.monotonic() - began:.0f} s: {options.rounds} rounds")
        time.sleep(3)
    finally:
        for name in list(federation.processes):
            federation.kill(name, signal.SIGTERM)
        if warm is not None:
            os.kill(warm, signal.SIGKILL)
    report(folder, given)


def report(folder: Path, given: list[str]) -> None:
    """Prints both results."""
    import torch

    from flt.main import main as flt

    assert flt(["fit", *given, f"--trainer.logger.save_dir={folder / 'simulator'}", "--model.num_byzantine=0"]) == 0
    (summary,) = folder.glob("simulator/har/version_*/summary.json")
    simulated = json.loads(summary.read_text())
    (checkpoint,) = folder.glob("simulator/har/version_*/checkpoints/last.ckpt")
    own = torch.load(checkpoint, weights_only=True)["state_dict"]
    (model,) = folder.glob("runs/har/version_*/model.pt")
    found = torch.load(model, weights_only=True)
    far = max(float((own[f"network.{name}"] - value).abs().max()) for name, value in found.items())
    largest = max(float(value.abs().max()) for value in found.values())
    (metrics,) = folder.glob("runs/har/version_*/metrics.csv")
    print("federation, last row:", *metrics.read_text().splitlines()[0::10000], metrics.read_text().splitlines()[-1])
    print("simulator:", {name: simulated[name] for name in ("testing_error_rate", "attack_success_rate")})
    print(f"parameters differ by {far:.2e} at most, the largest is {largest:.2f}")


if __name__ == "__main__":
    main()
