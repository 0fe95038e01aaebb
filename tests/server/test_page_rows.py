"""The page of a table in a real browser: a field for each column, and what other values of one would change."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
import torch
from selenium.webdriver import Chrome
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from litmlp import Network, Settings, Spec, load
from litmlp.inference.rows import rows_from
from litmlp.model.columns import Column, TableForm
from litmlp.runs import Run
from litmlp.server.card import column_card
from tests.server.browser import Page, needs_chromium

pytestmark = needs_chromium


class Form(Page):
    """The page of a network for rows."""

    def __init__(self, browser: Chrome, url: str, network: Network) -> None:
        super().__init__(browser, url)
        table = network.spec.table
        assert table is not None
        self.network, self.table = network, table
        self.row: dict[str, Any] = {column.name: column_card(column).typical for column in table.columns}

    def field(self, name: str) -> WebElement:
        """A column's field, by its label."""
        label = self.browser.find_element(By.XPATH, f"//label[.='{name}']")
        return self.browser.find_element(By.ID, str(label.get_attribute("for")))

    def type(self, name: str, *keys: str) -> None:
        """Type in place of what a field holds."""
        self.field(name).send_keys(Keys.CONTROL, "a", Keys.NULL, Keys.BACKSPACE, *keys)

    def set_date(self, name: str, value: str) -> None:
        """Choose a date, as its picker does: which keys one types depends on the language."""
        script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))"
        self.browser.execute_script(script, self.field(name), value)

    def says(self, *rows: dict[str, Any]) -> list[list[float]]:
        """What the network says of rows."""
        with torch.inference_mode():
            outputs: list[list[float]] = self.network.probabilities(rows_from(self.table, rows)).tolist()
        return outputs

    def is_answered(self) -> None:
        """Wait until the bars are what the network says of ``row``."""
        shares = [100 * share for share in self.says(self.row)[0]]
        self.until(lambda: self.bars() == pytest.approx(shares, abs=1e-4))

    def shows(self, selector: str, texts: list[str]) -> None:
        """Wait until these elements have these texts."""
        self.until(lambda: self.texts(selector) == texts)

    def has_answered(self) -> None:
        """Wait until there is any answer."""
        self.until(lambda: self.text("winner") != "?")

    def points(self) -> list[tuple[float, float]]:
        """The points of the curve, in hundredths of the plot, from its lower left corner."""
        script = "return document.querySelector('#whatif polyline').getAttribute('points')"
        pairs = [pair.split(",") for pair in (self.browser.execute_script(script) or "").split()]
        return [(float(x), 100 - float(y)) for x, y in pairs]

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((part) => part.textContent)"
        return [str(text) for text in self.browser.execute_script(script, selector)]


@pytest.fixture
def kind(browser: Chrome, serve: Callable[[Network], str], flats: Callable[[str], Run]) -> Form:
    """The page of a network that tells large flats from small ones."""
    network = load(flats("kind").best)
    return Form(browser, serve(network), network)


@pytest.fixture
def price(browser: Chrome, serve: Callable[[Network], str], flats: Callable[[str], Run]) -> Form:
    network = load(flats("price").best)
    return Form(browser, serve(network), network)


def along(column: Column) -> list[float]:
    """The values of a number that the curve is made of."""
    low, high = (float(str(column_card(column).model_dump()[end])) for end in ("low", "high"))
    return [low + (high - low) * index / 40 for index in range(41)]


def test_a_field_for_each_column_with_a_typical_value(kind: Form) -> None:
    kind.is_answered()
    assert kind.texts(".field label") == ["area", "floor", "quarter", "built"]
    area, floor, quarter, built = (kind.field(name) for name in kind.row)
    card = column_card(kind.table.columns[0])
    assert [area.get_attribute(name) for name in ("type", "min", "max", "step")] == ["number", "30", "118.5", "0.5"]
    assert kind.texts(".field.number small span") == [f"{card.low:g}", f"{card.high:g}", "0", "4"]
    assert floor.get_attribute("step") == "1"
    assert (float(str(area.get_property("value"))), floor.get_property("value")) == (card.typical, "2")
    assert [option.text for option in Select(quarter).options] == [
        "Altstadt",
        "Nord",
        "Süd, am See",
        "missing",
        "something else",
    ]
    assert Select(quarter).first_selected_option.text == kind.row["quarter"]
    assert (built.get_attribute("type"), built.get_property("value")) == ("date", kind.row["built"])
    assert (kind.text("task"), kind.text("data")) == ("kind", "predicted from 4 columns")
    assert kind.is_quiet()


def test_each_field_changes_the_answer(kind: Form) -> None:
    kind.type("area", "99")
    kind.row["area"] = 99
    kind.is_answered()
    slider = kind.browser.find_element(By.CSS_SELECTOR, ".field [type=range]")
    assert slider.get_property("value") == "99"
    ActionChains(kind.browser).move_to_element(slider).click().perform()
    kind.row["area"] = float(str(kind.field("area").get_property("value")))
    assert abs(kind.row["area"] - 74.25) <= 1
    kind.is_answered()
    Select(kind.field("quarter")).select_by_visible_text("Süd, am See")
    kind.row["quarter"] = "Süd, am See"
    kind.is_answered()
    kind.set_date("built", "2003-05-04")
    kind.row["built"] = "2003-05-04"
    kind.is_answered()
    kind.field("floor").send_keys(Keys.ARROW_UP)
    kind.row["floor"] = 3
    kind.is_answered()
    kind.press("Typical values")
    kind.row = {column.name: column_card(column).typical for column in kind.table.columns}
    kind.is_answered()
    assert kind.is_quiet()


def test_what_is_missing_or_unseen(kind: Form) -> None:
    kind.type("floor")
    kind.row["floor"] = None
    kind.is_answered()
    assert kind.field("floor").get_attribute("placeholder") == "missing"
    Select(kind.field("quarter")).select_by_visible_text("missing")
    kind.row["quarter"] = None
    kind.is_answered()
    Select(kind.field("quarter")).select_by_visible_text("something else")
    kind.row["quarter"] = "elsewhere"
    kind.is_answered()
    kind.set_date("built", "")
    kind.row["built"] = None
    kind.is_answered()
    kind.type("area", "-")  # the beginning of a number, which isn't missing
    kind.until(lambda: kind.text("winner") == "?")
    assert kind.field("area").get_attribute("aria-invalid") == "true"
    kind.field("area").send_keys("7")
    kind.row["area"] = -7
    kind.is_answered()
    assert kind.is_quiet()


def test_the_curve_of_a_probability(kind: Form) -> None:
    area = kind.table.columns[0]

    def is_drawn(of: int) -> bool:
        shares = kind.says(*({**kind.row, "area": value} for value in along(area)))
        expected = [(2.5 * index, 100 * share[of]) for index, share in enumerate(shares)]
        return kind.points() == [pytest.approx(point, abs=1e-4) for point in expected]

    for value, label in ((35, "small"), (110, "large")):
        kind.type("area", str(value))
        kind.row["area"] = value
        kind.until(partial(is_drawn, ["large", "small"].index(label)))
        assert (kind.text("winner"), len(kind.points())) == (label, 41)
    assert kind.texts("#whatif .ends span") == ["30", "118.5"]
    for place, name in enumerate(("large", "small")):
        Select(kind.browser.find_element(By.ID, "of")).select_by_visible_text(name)
        kind.until(partial(is_drawn, place))
    svg = kind.browser.find_element(By.CSS_SELECTOR, "#whatif svg")
    assert str(svg.get_attribute("aria-label")).startswith("Probability of small by area: from ")
    Select(kind.field("quarter")).select_by_visible_text("Nord")
    kind.row["quarter"] = "Nord"
    kind.until(lambda: is_drawn(1))
    plot = kind.browser.find_element(By.CSS_SELECTOR, "#whatif .plot")
    ActionChains(kind.browser).move_to_element_with_offset(plot, int(plot.rect["width"] * 0.25), 0).click().perform()
    kind.row["area"] = float(str(kind.field("area").get_property("value")))
    assert abs(kind.row["area"] - (30 + 88.5 * 0.75)) <= 1
    kind.is_answered()
    assert kind.is_quiet()


def test_the_curve_of_a_value_and_of_a_date(price: Form) -> None:
    def is_drawn(rows: list[dict[str, Any]]) -> bool:
        if not (points := price.points()):
            return False
        top, bottom = (float(text.replace(",", "")) for text in price.texts(".scale span"))
        heights = [bottom + (top - bottom) * height / 100 for _, height in points]
        return heights == pytest.approx([value for (value,) in price.says(*rows)], rel=1e-6)

    price.until(lambda: is_drawn([{**price.row, "area": value} for value in along(price.table.columns[0])]))
    ((value,),) = price.says(price.row)
    assert float(price.text("winner").replace(",", "")) == pytest.approx(value, rel=1e-5)
    assert price.text("rival") == "says the network of price"
    price.browser.find_element(By.XPATH, "//button[@aria-label='What would the answer be by built?']").click()
    card = column_card(price.table.columns[3])
    low, high = (datetime.fromisoformat(str(end)) for end in (card.low, card.high))
    days = [low + timedelta(days=int((high - low).days * index / 40)) for index in range(41)]
    price.until(lambda: is_drawn([{**price.row, "built": f"{day:%Y-%m-%d}"} for day in days]))
    assert len(price.points()) == 41
    assert price.texts("#whatif .ends span") == [card.low, card.high]
    assert price.is_quiet()


def test_a_bar_for_each_category(kind: Form, price: Form) -> None:
    names = ["Altstadt", "Nord", "Süd, am See", "missing", "something else"]
    for other in (kind, price):
        form = Form(other.browser, other.url, other.network)
        Select(form.browser.find_element(By.ID, "by")).select_by_visible_text("quarter")
        form.shows("#whatif .bars .name", names)
        rows = [{**form.row, "quarter": name} for name in (*names[:3], None, "elsewhere")]
        values, shown = form.says(*rows), form.texts("#whatif .bars .percent")
        if other is price:
            numbers = [float(text.replace(",", "")) for text in shown]
            assert numbers == pytest.approx([value for (value,) in values], rel=1e-5)
        else:
            best = values[names.index(form.row["quarter"])]
            shares = [100 * value[best.index(max(best))] for value in values]
            assert shown == [f"{share:.1f}\u202f%" for share in shares]
        form.browser.find_element(By.XPATH, "//div[@id='whatif']//button[contains(., 'something else')]").click()
        form.shows("#whatif .first .name", ["something else"])
        assert Select(form.field("quarter")).first_selected_option.text == "something else"
        assert form.is_quiet()


def wide(columns: int) -> Network:
    """An untrained network of a table with many columns and long names."""
    made = [
        Column(f"column {number} " + "W" * number, "number", low=-1e6, high=number / 7, typical=0.1)
        if number % 2
        else Column(f"column {number} " + "long name " * 9, "category", categories=("M" * 80, "b"))
        for number in range(columns)
    ]
    form = TableForm(tuple(made), "a column with a long name " * 4)
    return Network(Settings(Spec("table", (columns,), 1, None, "row", table=form), hidden=())).eval()


def test_many_columns_can_be_searched(browser: Chrome, serve: Callable[[Network], str]) -> None:
    network = wide(30)
    form = Form(browser, serve(network), network)
    form.has_answered()
    browser.find_element(By.CSS_SELECTOR, "[type=search]").send_keys("COLUMN 13")
    shown = [field for field in browser.find_elements(By.CSS_SELECTOR, ".field") if field.is_displayed()]
    assert [field.find_element(By.TAG_NAME, "label").text[:9] for field in shown] == ["column 13"]
    assert form.is_quiet()


def test_it_fits_any_screen(browser: Chrome, serve: Callable[[Network], str], kind: Form) -> None:
    many = wide(30)
    try:
        for url, network in ((kind.url, kind.network), (serve(many), many)):
            form = Form(browser, url, network)
            form.has_answered()
            for width, column in ((360, 0), (360, -1), (800, 0), (1200, -1)):
                screen = {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": width == 360}
                browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
                Select(browser.find_element(By.ID, "by")).select_by_index(column % len(form.table.columns))
                form.rest()
                assert browser.execute_script("return document.documentElement.scrollWidth") <= width
                box = "return document.getElementById('verdict').getBoundingClientRect().toJSON()"
                verdict = browser.execute_script(box)
                assert 0 <= verdict["top"] < verdict["bottom"] <= 740
                wider = "return [...document.querySelectorAll('.field')].filter((f) => f.scrollWidth > f.clientWidth)"
                assert browser.execute_script(wider) == []
            assert form.is_quiet()
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_description_shows_the_form_of_a_row(kind: Form) -> None:
    page = Page(kind.browser, f"{kind.url}/docs")
    text = page.text("paths")
    assert '-d \'{"row": {"area":' in text
    assert '{"row": {column: value, …}}  or  {"rows": [{column: value, …}, …]}' in text
    assert "undefined" not in text
    assert '"Altstadt", "Nord", "Süd, am See"' in text
    assert page.is_quiet()
