import pytest

from tests.commands.workplace import Workplace


@pytest.fixture(scope="session")
def workplace(tmp_path_factory):
    """One folder for all runs that these tests fit in this process: phantoms, cache and store are made once."""
    return Workplace(tmp_path_factory.mktemp("workplace"))
