"""A tiny model for tests that need one, and how much hypothesis tries.

HYPOTHESIS_PROFILE=thorough draws many more examples, and other ones in every run.
"""

import contextlib
import importlib.util
import os
import shutil
import sys
import warnings

import pytest
from hypothesis import HealthCheck, settings

from host_sdk import paths
from host_sdk.pack import mlet_file, planner

settings.register_profile(
    "quick",
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "thorough", max_examples=3000, deadline=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(scope="session")
def make_vectors():
    """The module tools/make_vectors.py."""
    path = paths.repository() / "tools/make_vectors.py"
    spec = importlib.util.spec_from_file_location("make_vectors", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_vectors"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny(make_vectors):
    """(graph, bytes of its .mlet file) of a network with every temporal op."""
    graph = make_vectors.tiny_separable()
    data = mlet_file.pack(graph, planner.plan(graph))
    return mlet_file.read(data)[0], data


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """A run folder: a small per_frame network, hardly trained on moving digits."""
    from host_sdk.train import TrainConfig, train

    config = TrainConfig(
        network="per_frame",
        frames=6,
        clips=27,
        validation_clips=27,
        test_clips=36,
        epochs=1,
        batch=9,
        warm_up=2,
    )
    with _keras_warnings_ignored():
        return train(config, tmp_path_factory.mktemp("run"), progress=False).model_path.parent


@pytest.fixture(scope="session")
def evaluated_run(tiny_run, tmp_path_factory):
    """A copy of `tiny_run` with its evaluate.json."""
    from host_sdk.evaluation import Options, evaluate_folder

    folder = tmp_path_factory.mktemp("evaluated") / "tiny"
    shutil.copytree(tiny_run, folder)
    with _keras_warnings_ignored():
        evaluate_folder(folder, Options(background_minutes=0.5))
    return folder


@contextlib.contextmanager
def _keras_warnings_ignored():
    """Keras itself trips over numpy's new __array__ protocol."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        yield
