"""The page in a real browser: a stroke moves the bars, clear clears, and the console stays empty."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from selenium.webdriver import Chrome
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from litmlp import ImageForm, Network, Settings, Spec, load
from litmlp.inference.drawings import to_drawing
from litmlp.inference.images import to_values
from litmlp.runs import Run
from litmlp.tasks import TASKS
from tests.conftest import drawn
from tests.server.browser import Page, needs_chromium

pytestmark = needs_chromium
ONE = [(0.5, 0.15), (0.5, 0.4), (0.5, 0.65), (0.5, 0.85)]


def test_drawing_moves_the_bars_and_clear_clears(browser: Chrome, digits_url: str) -> None:
    page = Page(browser, digits_url)
    assert (page.text("winner"), page.bars(), set(page.sees())) == ("?", [0.0] * 10, {0})
    page.stroke(ONE, lift=False)
    page.rest()  # while the button is still down
    first = page.bars()
    assert page.text("winner") == str(first.index(max(first)))
    assert page.text("sure") == f"{max(first):.1f}\u202f%"
    assert max(page.sees()) > 200
    ActionChains(browser).release().perform()
    page.rest()
    assert page.bars() == first
    page.stroke([(0.2, 0.15), (0.8, 0.15)])
    page.rest()
    second = page.bars()
    assert second != first
    page.press("Undo")
    page.until(lambda: page.bars() == first)
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.ESCAPE)
    page.until(lambda: page.text("winner") == "?")
    assert (page.bars(), set(page.sees())) == ([0.0] * 10, {0})
    page.stroke(ONE)
    page.stroke([(0.2, 0.15), (0.8, 0.15)])
    page.until(lambda: page.bars() == second)
    page.press("Clear")
    page.until(lambda: page.text("winner") == "?")
    assert not browser.find_element(By.XPATH, "//button[contains(., 'Undo')]").is_enabled()
    assert page.is_quiet()


def test_drawing_by_keyboard_and_a_dot(browser: Chrome, digits_url: str) -> None:
    page = Page(browser, digits_url)
    pad = browser.find_element(By.CSS_SELECTOR, ".pad canvas")
    pad.send_keys(Keys.SPACE, *[Keys.ARROW_DOWN] * 12, Keys.SPACE)
    page.rest()
    assert sum(page.bars()) == pytest.approx(100, abs=0.01)
    seen = [page.sees()[row * 8 : row * 8 + 8] for row in range(8)]
    assert all(row[0] == row[7] == 0 and max(row) > 150 for row in seen)  # an upright line
    pad.send_keys(Keys.CONTROL, "z")
    page.until(lambda: page.text("winner") == "?")
    page.stroke([(0.5, 0.5)])
    page.until(lambda: sum(page.bars()) > 99)
    assert page.is_quiet()


def test_a_picture_file_is_seen_as_predict_sees_it(browser: Chrome, digits_url: str, tmp_path: Path) -> None:
    page = Page(browser, digits_url)
    field = browser.find_element(By.CSS_SELECTOR, "input[type=file]")
    (tmp_path / "notes.txt").write_text("no picture")
    field.send_keys(str(tmp_path / "notes.txt"))
    page.until(lambda: page.text("problem") == "notes.txt is no picture that the browser can open.")
    picture = drawn([[(0.3, 0.2), (0.7, 0.2), (0.4, 0.8)]])
    picture.save(tmp_path / "seven.png")
    field.send_keys(str(tmp_path / "seven.png"))
    page.until(lambda: sum(page.bars()) > 99)
    form = TASKS["digits"].image
    assert form is not None
    expected = to_values(to_drawing(picture, form, (1, 8, 8)), form).flatten().tolist()
    assert page.sees() == [round(value / 16 * 255) for value in expected]
    assert page.is_quiet()


def test_a_stopped_server_is_told(browser: Chrome, digits_url: str) -> None:
    page = Page(browser, digits_url)
    browser.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    page.stroke(ONE)
    page.until(lambda: page.text("problem") == "The server doesn't answer. Is it still running?")
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", {**offline, "offline": False})
    page.console()
    page.stroke([(0.2, 0.15), (0.8, 0.15)])
    page.until(lambda: sum(page.bars()) > 99)
    assert page.is_quiet()


def test_clothes_take_a_picture_that_is_dropped(browser: Chrome, serve: Callable[[Network], str]) -> None:
    task = TASKS["fashion_mnist"]
    assert task.classes is not None
    page = Page(browser, serve(Network(Settings(task().spec, hidden=())).eval()))
    assert "Drop a picture of a garment here" in browser.find_element(By.CSS_SELECTOR, ".invitation").text
    page.drop("#fff", "#969696", "#fff")
    page.until(lambda: sum(page.bars()) > 99)
    assert sorted(set(page.sees())) == [0, 105]
    page.press("Clear")
    page.until(lambda: page.text("winner") == "?")
    assert page.is_quiet()


def test_colour_images_are_seen_in_colour(browser: Chrome, serve: Callable[[Network], str], tmp_path: Path) -> None:
    spec = Spec("painted_cars", (3, 4, 6), 2, ("car", "lorry"), "image", ImageForm())
    page = Page(browser, serve(Network(Settings(spec, hidden=())).eval()))
    assert page.sees_in_colour() == [(0, 0, 0)] * 24
    invitation = browser.find_element(By.CSS_SELECTOR, ".invitation").text
    assert invitation == "Drop a picture here,\nchoose one, or paste it"
    assert page.text("hint") == "The network sees it in colour, 6 × 4 pixels."
    page.drop("#f00", "#08f", "#ff8")
    row = [(255, 0, 0)] * 2 + [(0, 136, 255)] * 2 + [(255, 255, 136)] * 2
    page.until(lambda: page.sees_in_colour() == row * 4)
    assert page.text("winner") in ("car", "lorry")
    Image.new("RGB", (6, 4), (10, 200, 30)).save(tmp_path / "green.png")
    browser.find_element(By.CSS_SELECTOR, "input[type=file]").send_keys(str(tmp_path / "green.png"))
    page.until(lambda: page.sees_in_colour() == [(10, 200, 30)] * 24)
    assert (page.text("task"), page.text("data")) == ("Painted cars", "trained on the task painted_cars")
    assert page.is_quiet()


def linear(task: str, features: int, probabilities: list[float]) -> Network:
    """A network that answers zeros with these probabilities."""
    classes = tuple(f"class {i}" for i in range(len(probabilities)))
    network = Network(Settings(Spec(task, (features,), len(probabilities), classes), hidden=()))
    weight, bias = network.parameters()
    with torch.no_grad():
        weight.copy_(torch.linspace(-1, 1, weight.numel()).view_as(weight))
        bias.copy_(torch.tensor(probabilities).log())
    return network.eval()


def test_no_share_is_rounded_to_nothing_or_to_certainty(browser: Chrome, serve: Callable[[Network], str]) -> None:
    page = Page(browser, serve(linear("a_b", 3, [0.9996, 0.00039, 0.00001])))
    page.until(lambda: page.percentages() == [">99.9\u202f%", "<0.1\u202f%", "<0.1\u202f%"])
    assert (page.text("sure"), page.text("rival")) == (">99.9\u202f%", "then class 1, <0.1\u202f%")
    page = Page(browser, serve(linear("a_b", 3, [0.9992, 0.0004, 0.0003, 0.0001])))
    page.until(lambda: page.percentages() == ["99.9\u202f%", *["<0.1\u202f%"] * 3])
    page = Page(browser, serve(linear("a_b", 3, [0.0012, 0.9987, 0.0001])))
    page.until(lambda: page.percentages() == ["0.1\u202f%", "99.9\u202f%", "<0.1\u202f%"])
    assert page.is_quiet()


def test_the_title_says_what_the_model_was_trained_on(
    browser: Chrome, serve: Callable[[Network], str], digits_url: str
) -> None:
    page = Page(browser, digits_url)
    assert (page.text("task"), page.text("data")) == ("Handwritten digits", "trained on the UCI digits, 8 × 8")
    assert browser.title == "Handwritten digits, trained on the UCI digits, 8 × 8 · LitMLP"
    mnist = Network(Settings(TASKS["mnist"]().spec, hidden=())).eval()
    page = Page(browser, serve(mnist))
    assert (page.text("task"), page.text("data")) == ("Handwritten digits", "trained on MNIST")
    Page(browser, serve(linear("wine_quality", 3, [0.5, 0.5])))
    assert browser.title == "Wine quality, trained on the task wine_quality · LitMLP"


def test_numbers_are_answered_as_they_are_typed(browser: Chrome, serve: Callable[[Network], str]) -> None:
    model = linear("wine_quality", 8, [0.2, 0.3, 0.5])
    page = Page(browser, serve(model))
    page.until(lambda: page.percentages() == ["20.0\u202f%", "30.0\u202f%", "50.0\u202f%"])
    labels = [label.text for label in browser.find_elements(By.CSS_SELECTOR, ".numbers label")]
    assert labels == [f"feature {number}" for number in range(1, 9)]
    first, *others = browser.find_elements(By.CSS_SELECTOR, ".numbers label input")

    def answers(sample: list[float]) -> bool:
        with torch.inference_mode():
            shares = model(torch.tensor([sample])).softmax(1)[0]
        return page.bars() == pytest.approx((100 * shares).tolist(), abs=1e-3)

    first.send_keys(Keys.BACKSPACE)
    page.until(lambda: page.text("winner") == "?")
    assert first.get_attribute("aria-invalid") == "true"
    first.send_keys("-1.25")
    page.until(lambda: answers([-1.25, *[0.0] * 7]))
    assert first.get_attribute("aria-invalid") == "false"
    others[0].send_keys(Keys.ARROW_UP, Keys.ARROW_UP)
    page.until(lambda: answers([-1.25, 0.2, *[0.0] * 6]))
    others[1].send_keys(Keys.BACKSPACE, "230", Keys.ARROW_DOWN)
    page.until(lambda: answers([-1.25, 0.2, 220.0, *[0.0] * 5]))
    paste = """const data = new DataTransfer();
        data.setData('text', arguments[1]);
        return arguments[0].dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, cancelable: true }))"""
    assert browser.execute_script(paste, others[4], " 1.5; 2\t-3e-1, 9 ") is False
    page.until(lambda: answers([-1.25, 0.2, 220.0, 0.0, 0.0, 1.5, 2.0, -0.3]))
    assert browser.execute_script(paste, others[4], "7") is True  # the browser's own way
    assert browser.execute_script(paste, others[4], "five, six") is True
    page.press("Reset")
    page.until(lambda: answers([0.0] * 8))
    assert page.is_quiet()


@pytest.mark.parametrize(("width", "height", "columns"), [(1280, 800, 3), (390, 844, 3), (320, 600, 2)])
@pytest.mark.parametrize("features", [1, 8, 30])
def test_numbers_of_any_count_fit_the_screen(
    browser: Chrome, serve: Callable[[Network], str], features: int, width: int, height: int, columns: int
) -> None:
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 1000}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        page = Page(browser, serve(linear("wine_quality", features, [0.5, 0.5])))
        page.until(lambda: page.text("winner") != "?")
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        boxes = """return [...document.querySelectorAll(arguments[0])].map((part) => {
            const { left, right, top, bottom } = part.getBoundingClientRect(); return [left, right, top, bottom] })"""
        fields = browser.execute_script(boxes, ".numbers input")
        assert len({left for left, *_ in fields}) == min(columns, features)
        assert len({right - left for left, right, *_ in fields}) == 1
        ((card_left, card_right, *_),) = browser.execute_script(boxes, "#input")
        assert all(card_left < left < right < card_right for left, right, *_ in fields)
        assert min(right - left for left, right, *_ in fields) >= 90
        ((_, _, top, bottom),) = browser.execute_script(boxes, "#verdict")
        assert 0 <= top < bottom <= height  # also where there are more features than fit
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_long_value_is_set_smaller(browser: Chrome, serve: Callable[[Network], str]) -> None:
    model = Network(Settings(Spec("robot_arm", (3,), 4), hidden=())).eval()
    with torch.no_grad():
        [*model.parameters()][-1].copy_(torch.tensor([1.0, -20.0, 300.0, -4000.0]))
    page = Page(browser, serve(model))
    page.until(lambda: page.text("winner") == "1.000, −20.000, 300.000, −4000.000")
    size = browser.execute_script("return getComputedStyle(document.getElementById('winner')).fontSize")
    assert float(size.removesuffix("px")) < 40
    assert page.is_quiet()


def test_names_of_classes_are_not_cut(browser: Chrome, serve: Callable[[Network], str]) -> None:
    names = ("warm", "MMMMMMMM", "automobile")
    page = Page(browser, serve(Network(Settings(Spec("wide", (3,), 3, names), hidden=())).eval()))
    page.until(lambda: page.text("winner") != "?")
    overflow = "return [...document.querySelectorAll('.name')].map((name) => name.scrollWidth > name.clientWidth)"
    assert browser.execute_script(overflow) == [False] * 3


def test_the_plane_and_its_point(
    browser: Chrome, serve: Callable[[Network], str], trained: Callable[[str], Run]
) -> None:
    page = Page(browser, serve(load(trained("log").best)))
    page.until(lambda: page.text("winner") == "log(x + y) ≤ 0")
    page.stroke([(0.9, 0.1)])
    page.until(lambda: page.text("winner") == "log(x + y) > 0")
    pad = browser.find_element(By.CSS_SELECTOR, ".pad canvas")
    pad.send_keys(*[Keys.ARROW_LEFT] * 44, *[Keys.ARROW_DOWN] * 44)
    page.until(lambda: page.text("winner") == "log(x + y) ≤ 0")
    colours = """const canvas = document.createElement('canvas');
        canvas.width = canvas.height = 10;
        const context = canvas.getContext('2d', { willReadFrequently: true });
        context.drawImage(document.querySelector('.pad canvas'), 0, 0, 10, 10);
        const at = (x, y) => [...context.getImageData(x, y, 1, 1).data.slice(0, 3)];
        return [at(3, 8), at(8, 3)]"""
    page.until(lambda: browser.execute_script(colours)[0][2] > 0)
    low, high = browser.execute_script(colours)
    assert low[2] > low[0] + 50  # blue below the diagonal
    assert high[0] > high[2] + 50  # red above
    assert page.is_quiet()


def test_a_value(browser: Chrome, serve: Callable[[Network], str], trained: Callable[[str], Run]) -> None:
    network = load(trained("log_value").best)
    page = Page(browser, serve(network))
    with torch.inference_mode():
        expected = float(network(torch.tensor([[0.3, 0.4]])))
    page.until(lambda: page.text("winner") == f"{expected:.3f}".replace("-", "−"))
    assert page.is_quiet()


def test_the_switches(browser: Chrome, serve: Callable[[Network], str], trained: Callable[[str], Run]) -> None:
    page = Page(browser, serve(load(trained("xor").best)))
    page.until(lambda: page.text("winner") == "0")
    rows = """return [...document.querySelectorAll('tbody tr')].map((row) =>
        [...row.cells].slice(0, 3).map((cell) => cell.textContent))"""
    assert browser.execute_script(rows) == [["0", "0", "0"], ["0", "1", "1"], ["1", "0", "1"], ["1", "1", "0"]]
    x, y = browser.find_elements(By.CSS_SELECTOR, "[role=switch]")
    x.send_keys(Keys.SPACE)
    page.until(lambda: page.text("winner") == "1")
    assert x.get_attribute("aria-checked") == "true"
    y.click()
    page.until(lambda: page.text("winner") == "0")
    assert page.is_quiet()


def test_the_description_of_the_interface(browser: Chrome, digits_url: str) -> None:
    page = Page(browser, f"{digits_url}/docs")
    headings = [heading.text for heading in browser.find_elements(By.TAG_NAME, "h2")]
    assert headings == ["POST /predict", "GET /model", "GET /health"]
    assert "number from 0 to 16 × 8" in page.text("paths")
    assert page.is_quiet()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_either_light(browser: Chrome, digits_url: str, scheme: str) -> None:
    phone = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    try:
        Page(browser, digits_url)
        assert browser.execute_script("return document.documentElement.scrollWidth") == 360
        assert browser.execute_script("return document.getElementById('bars').getBoundingClientRect().bottom") < 740
        colours = "const style = getComputedStyle(document.body); return [style.color, style.backgroundColor]"
        ink, ground = (contrast_part(colour) for colour in browser.execute_script(colours))
        lighter, darker = max(ink, ground), min(ink, ground)
        assert (lighter + 0.05) / (darker + 0.05) > 7  # WCAG's AAA
        assert (ground > ink) == (scheme == "light")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def contrast_part(colour: str) -> float:
    """The relative luminance, as WCAG 2 defines it, of a colour such as 'rgb(1, 2, 3)'."""
    bands = [int(band) / 255 for band in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [band / 12.92 if band <= 0.04045 else ((band + 0.055) / 1.055) ** 2.4 for band in bands]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
