"""A folder of small pictures, and what becomes of it."""

import shutil

import pytest

from codec_lib import data
from tests.folders.runs import GOOD, encode


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a source and with what became of it: each test gets a copy."""
    top = tmp_path_factory.mktemp("made")
    folder = top / "source"
    photo = data.sample("astronaut")
    for k, name in enumerate(GOOD):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        crop = photo.crop((100 + 9 * k, 0, 180 + 9 * k, 64))
        (crop.convert("L") if name == "grey.png" else crop).save(path)
    (folder / "notes.txt").write_text("no picture")
    encode(folder, top / "target")
    return top


@pytest.fixture
def source(made, tmp_path):
    return shutil.copytree(made / "source", tmp_path / "source")


@pytest.fixture
def target(made, tmp_path):
    return shutil.copytree(made / "target", tmp_path / "target")


@pytest.fixture(scope="module")
def bucket():
    """The address of a bucket of an object store on this machine; fsspec keeps what it has opened."""
    boto3, moto = pytest.importorskip("boto3"), pytest.importorskip("moto.server")
    fsspec = pytest.importorskip("fsspec")
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    known = {
        "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.get_host_and_port()[1]}",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in known.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="bucket")
        yield "s3://bucket"
    fsspec.get_filesystem_class("s3").clear_instance_cache()  # the next server has another port
    server.stop()
