"""What the tests of the page share."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.server.browser import start_browser


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One browser for all tests."""
    driver = start_browser(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()
