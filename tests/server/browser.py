"""A real browser, and the page in it as a person sees it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="Chromium isn't installed: apt-get install chromium chromium-driver"
)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --window-size=1100,900"
)


def start_browser(profile: Path) -> Chrome:
    """Chromium without a window, with an empty profile."""
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return Chrome(options, Service(str(DRIVER)))


class Page:
    """The open page, as a person sees it."""

    def __init__(self, browser: Chrome, url: str) -> None:
        self.browser, self.url = browser, url
        self.console()
        browser.get(url)
        self.until(lambda: browser.execute_script("return document.body.dataset.ready"))

    def console(self) -> list[dict[str, Any]]:
        """What the console has got since this was last asked."""
        entries: list[dict[str, Any]] = self.browser.get_log("browser")
        return entries

    def until(self, true: Callable[[], object]) -> None:
        WebDriverWait(self.browser, 30, poll_frequency=0.02).until(lambda _: true())

    def text(self, name: str) -> str:
        return str(self.browser.execute_script(f"return document.getElementById('{name}').textContent"))

    def bars(self) -> list[float]:
        """The bars' lengths in per cent of the longest that is possible."""
        script = """return [...document.querySelectorAll('#bars li')].map((row) =>
            Number(getComputedStyle(row.querySelector('i')).getPropertyValue('--share')) * 100)"""
        return [float(share) for share in self.browser.execute_script(script)]

    def sees(self) -> list[int]:
        """The shades of the image that the network sees."""
        bands = self.sees_in_colour()
        assert all(red == green == blue for red, green, blue in bands)
        return [red for red, _, _ in bands]

    def sees_in_colour(self) -> list[tuple[int, ...]]:
        """The pixels (red, green, blue) of the image that the network sees."""
        script = """const shown = document.querySelector('#seen canvas'), canvas = document.createElement('canvas');
            [canvas.width, canvas.height] = [shown.width, shown.height];
            const context = canvas.getContext('2d', { willReadFrequently: true });
            context.drawImage(shown, 0, 0);
            const image = context.getImageData(0, 0, canvas.width, canvas.height);
            return [...image.data];"""
        values = self.browser.execute_script(script)
        return [tuple(values[start : start + 3]) for start in range(0, len(values), 4)]

    def percentages(self) -> list[str]:
        """What stands beside the bars."""
        script = "return [...document.querySelectorAll('#bars .percent')].map((cell) => cell.textContent)"
        return [str(text) for text in self.browser.execute_script(script)]

    def drop(self, *stripes: str) -> None:
        """Drop a picture of 60 × 40 pixels onto the pad: stripes of these colours, from left to right."""
        script = """const [stripes, done] = arguments;
            const canvas = new OffscreenCanvas(60, 40), context = canvas.getContext('2d');
            stripes.forEach((colour, index) => {
              context.fillStyle = colour;
              context.fillRect(60 / stripes.length * index, 0, 60 / stripes.length, 40);
            });
            canvas.convertToBlob().then((blob) => {
              const transfer = new DataTransfer();
              transfer.items.add(new File([blob], 'stripes.png', { type: 'image/png' }));
              const dropped = new DragEvent('drop', { dataTransfer: transfer, cancelable: true });
              document.querySelector('.pad').dispatchEvent(dropped);
              done();
            });"""
        self.browser.execute_async_script(script, stripes)

    def press(self, text: str) -> None:
        self.browser.find_element(By.XPATH, f"//button[contains(., '{text}')]").click()

    def stroke(self, points: list[tuple[float, float]], lift: bool = True) -> None:
        pad = self.browser.find_element(By.CSS_SELECTOR, ".pad canvas")
        side = pad.rect["width"]
        actions = ActionChains(self.browser, duration=10)
        for index, (x, y) in enumerate(points):
            actions.move_to_element_with_offset(pad, int((x - 0.5) * side), int((y - 0.5) * side))
            if index == 0:
                actions.click_and_hold()
        (actions.release() if lift else actions).perform()

    def rest(self) -> None:
        """Wait until the newest input has been answered."""
        self.until(lambda: self.browser.execute_script("return document.getElementById('output').ariaBusy") == "false")

    def is_quiet(self) -> bool:
        """Whether the console is empty, and no problem is told."""
        assert self.console() == []
        return not self.browser.find_element(By.ID, "problem").is_displayed()
