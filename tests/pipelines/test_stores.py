"""Where the store is: in the data folder, in another, or at a URL; what cannot be worked with is refused at once."""

import json
import pickle
from pathlib import Path

import pytest
from click.testing import CliRunner
from fsspec.implementations.memory import MemoryFileSystem
from s3fs import S3FileSystem

from pipelines.cli import main
from pipelines.places import DATA_VARIABLE, PROJECT_ROOT
from pipelines.stores import STORE_VARIABLE, check_reachable, store_of
from sim_engine import InputError

RING = PROJECT_ROOT / "scenarios" / "three_bank_ring.yaml"
SECRET = "hush-9d1f"
CREDENTIALS = "may hold no user, password or query; credentials are read from the environment alone"
BUCKET_MISSING = "names no bucket or folder; state one, as s3://BUCKET/PREFIX"

REFUSED = {
    "a user and a password": (f"s3://user:{SECRET}@bucket/prefix", f"{STORE_VARIABLE}: {CREDENTIALS}"),
    "a user": (f"s3://{SECRET}@bucket/prefix", f"{STORE_VARIABLE}: {CREDENTIALS}"),
    "a query": (f"s3://bucket/prefix?secret={SECRET}", f"{STORE_VARIABLE}: {CREDENTIALS}"),
    "a slash too few": (
        f"s3:/{SECRET}/prefix",
        f"{STORE_VARIABLE}: is neither a URL nor a folder; state one, as s3://BUCKET/PREFIX",
    ),
    "no bucket": ("s3://", f"{STORE_VARIABLE}=s3://: {BUCKET_MISSING}"),
    "only slashes": ("s3:///", f"{STORE_VARIABLE}=s3:///: {BUCKET_MISSING}"),
    "a prefix without a bucket": ("s3:///prefix", f"{STORE_VARIABLE}=s3:///prefix: {BUCKET_MISSING}"),
    "an unknown protocol": (
        "paper://desk/drawer",
        f"{STORE_VARIABLE}=paper://desk/drawer: 'paper' is no file system that fsspec knows; "
        "known are, among others: s3, gs, abfs, file",
    ),
    "a library that is not there": (
        "gs://bucket/prefix",
        f"{STORE_VARIABLE}=gs://bucket/prefix: needs a library that is not installed: "
        "Please install gcsfs to access Google Storage",
    ),
}
"""Per case what is stated, and what is said."""


@pytest.fixture(autouse=True)
def nothing_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (STORE_VARIABLE, DATA_VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def memory() -> None:
    """Nothing is in the memory of this process."""
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.mark.parametrize("case", REFUSED)
def test_a_store_that_cannot_be_is_refused_and_nothing_secret_repeated(case: str, tmp_path: Path) -> None:
    stated, problem = REFUSED[case]
    for command in (["run", "--config", str(RING)], ["runs"], ["cycles", "--run", "x", "--day", "0"]):
        result = CliRunner().invoke(main, [*command, "--data", str(tmp_path / "data"), "--store", stated])
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == f"configuration: 1 problem\n  {problem}\n"
        assert SECRET not in result.stderr
        assert list(tmp_path.iterdir()) == []


def test_without_a_store_the_data_folder_is_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for stated in (None, ""):
        assert store_of(tmp_path, stated).root == tmp_path
    monkeypatch.setenv(STORE_VARIABLE, "")
    assert store_of(tmp_path).root == tmp_path


@pytest.mark.parametrize("form", ["{}", "file://{}", "local://{}"])
def test_a_folder_is_a_store_of_its_own(tmp_path: Path, form: str) -> None:
    data, stored = tmp_path / "data", tmp_path / "stored"
    stated = form.format(stored)
    result = CliRunner().invoke(main, ["run", "--config", str(RING), "--data", str(data), "--store", stated])
    assert result.exit_code == 0, result.output
    assert f"Raw tables: {stored}/raw" in result.output.replace("\n", "")
    assert sorted(child.name for child in stored.iterdir()) == ["raw", "state"]
    assert store_of(data, stated).days_stored("three_bank_ring") == [0]
    assert not (data / "raw").exists()
    assert not (data / "state").exists()


def test_a_folder_is_found_from_where_the_command_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = store_of(tmp_path / "data", "stored")
    monkeypatch.chdir("/")
    assert store.root == tmp_path / "stored"


def test_the_option_comes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: None) -> None:
    monkeypatch.setenv(STORE_VARIABLE, "memory://here")
    assert str(store_of(tmp_path).root) == "memory://here"
    assert str(store_of(tmp_path, "memory://there/").root) == "memory://there"
    result = CliRunner().invoke(main, ["run", "--config", str(RING), "--quiet", "--store", str(tmp_path / "stored")])
    assert result.exit_code == 0, result.output
    assert store_of(tmp_path, str(tmp_path / "stored")).days_stored("three_bank_ring") == [0]
    assert store_of(tmp_path).run_ids() == []


def test_a_run_at_a_url_is_read_by_the_commands_that_read(tmp_path: Path, memory: None) -> None:
    data = ["--data", str(tmp_path / "data")]
    there = [*data, "--store", "memory://bank/of"]
    assert CliRunner().invoke(main, ["run", "--config", str(RING), "--quiet", *there]).exit_code == 0
    assert not (tmp_path / "data").exists()
    listed = CliRunner().invoke(main, ["runs", *there])
    assert (listed.exit_code, listed.stderr) == (0, "")
    assert "three_bank_ring" in listed.output
    assert CliRunner().invoke(main, ["run", "--config", str(RING), "--quiet", *data]).exit_code == 0
    told = []
    for where in (there, data):
        shown = CliRunner().invoke(main, ["cycles", "--run", "three_bank_ring", "--day", "0", "--json", *where])
        assert shown.exit_code == 0, shown.output
        told.append(shown.output)
    assert told[0] == told[1]
    assert len(json.loads(told[0])) == 1
    same = ["three_bank_ring", "three_bank_ring", *data, "--other-store", "memory://bank/of"]
    difference = CliRunner().invoke(main, ["diff", *same])
    assert difference.exit_code == 0, difference.output


def test_a_store_that_does_not_answer_is_refused_and_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "anyone", "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1", "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    for name, value in stated.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(S3FileSystem, "retries", 1)
    S3FileSystem.clear_instance_cache()
    try:
        for command, done in ((["run", "--config", str(RING)], "written to"), (["runs"], "read")):
            result = CliRunner().invoke(main, [*command, "--data", str(tmp_path / "data"), "--store", "s3://b/p"])
            assert (result.exit_code, result.stdout) == (2, "")
            assert f"  {STORE_VARIABLE}=s3://b/p: cannot be {done} (" in result.stderr
            assert "look at the URL, and at what it asks for" in result.stderr
            assert SECRET not in result.stderr
            assert list(tmp_path.iterdir()) == []
    finally:
        S3FileSystem.clear_instance_cache()


def test_looking_whether_a_store_can_be_written_to_leaves_nothing(tmp_path: Path, memory: None) -> None:
    for writing in (True, False):
        check_reachable(store_of(tmp_path / "data", "memory://bank"), writing=writing)
        check_reachable(store_of(tmp_path / "data"), writing=writing)
    assert MemoryFileSystem.store == {}
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_was_pickled_is_at_the_same_place(tmp_path: Path) -> None:
    for url in (str(tmp_path), "memory://bank/of", "s3://bucket/prefix"):
        store = store_of(tmp_path, url)
        back = pickle.loads(pickle.dumps(store))
        assert (type(back.root), back.root) == (type(store.root), store.root)


def test_an_s3_store_remembers_no_listing_and_holds_no_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    store = store_of(tmp_path, "s3://bucket/prefix")
    assert store.root.fs.dircache.use_listings_cache is False
    assert SECRET.encode() not in pickle.dumps(store)
    assert SECRET not in repr(store.root)


def test_the_error_is_an_input_error_wherever_the_store_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names no bucket"):
        store_of(tmp_path, "s3://")
