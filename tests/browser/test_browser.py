"""The browser that pages are looked at with sees what is wrong with them, and finds nothing where nothing is."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.browser import Browser, Page, PageFailed, numbers, overflowing, overlapping_texts

Show = Callable[..., Path]


@pytest.fixture
def show(page: Page, tmp_path: Path) -> Show:
    """Opens a page with this body, which may say what stands in its head; gives its file."""

    def shown(body: str, head: str = "") -> Path:
        file = tmp_path / "page.html"
        file.write_text(f'<!doctype html><meta charset="utf-8"><title>t</title>{head}<body>{body}', encoding="utf-8")
        page.open(file.as_uri())
        return file

    return shown


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height, as the head of the file says them."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


# What a page asks for


def test_a_page_that_has_everything_in_it_asks_for_itself_alone(page: Page, show: Show) -> None:
    pixel = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
    file = show(f'<img src="{pixel}"><script>document.body.append("made here")</script>')
    assert page.texts("body") == ["made here"]
    assert page.requests == [file.as_uri()]
    assert page.errors == []


@pytest.mark.parametrize(
    "body",
    [
        '<img src="{address}">',
        '<link rel="stylesheet" href="{address}">',
        '<style>@import url("{address}")</style>',
        '<style>@font-face {{font-family: f; src: url("{address}")}}</style><p style="font-family: f">text',
        '<p style="background: url({address})">text',
        '<script src="{address}"></script>',
        '<script>fetch("{address}").catch(() => 0)</script>',
        '<iframe src="{address}"></iframe>',
        "<iframe srcdoc='<img src=\"{address}\">'></iframe>",
        '<svg><image href="{address}" width="9" height="9"/></svg>',
    ],
)
def test_whatever_asks_for_an_address_is_seen(page: Page, show: Show, body: str) -> None:
    address = "http://elsewhere.invalid/thing"
    file = show(body.format(address=address))
    assert page.requests == [file.as_uri(), address]


def test_a_file_that_lies_beside_a_page_is_a_request_too(page: Page, show: Show, tmp_path: Path) -> None:
    beside = tmp_path / "beside.js"
    beside.write_text("document.body.append('from beside')")
    file = show('<script src="beside.js"></script>')
    assert page.texts("body") == ["from beside"]
    assert page.requests == [file.as_uri(), beside.as_uri()]


def test_a_socket_is_a_request(page: Page, show: Show) -> None:
    file = show('<script>new WebSocket("ws://elsewhere.invalid/socket")</script>')
    assert page.requests == [file.as_uri(), "ws://elsewhere.invalid/socket"]


def test_what_a_page_asks_for_later_is_seen_by_whoever_listens(page: Page, show: Show) -> None:
    file = show('<script>setTimeout(() => fetch("http://elsewhere.invalid/later").catch(() => 0), 400)</script>')
    assert page.requests == [file.as_uri()]
    page.listen(1)
    assert page.requests == [file.as_uri(), "http://elsewhere.invalid/later"]


def test_no_other_host_can_be_reached(page: Page) -> None:
    with pytest.raises(PageFailed, match="ERR_NAME_NOT_RESOLVED"):
        page.open("http://elsewhere.invalid/")


# What goes wrong in a page


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("nowhere()", "ReferenceError: nowhere is not defined"),
        ('Promise.reject(new Error("kept from nobody"))', "Error: kept from nobody"),
        ('console.error("three is", 3)', "error: three is 3"),
        ('console.warn("hm")', "warning: hm"),
        ("console.assert(1 > 2)", "assert: console.assert"),
    ],
)
def test_what_goes_wrong_in_a_script_is_told(page: Page, show: Show, script: str, said: str) -> None:
    show(f"<script>{script}</script>")
    assert len(page.errors) == 1
    assert said in page.errors[0]


def test_what_does_not_load_is_told_with_its_address(page: Page, show: Show, tmp_path: Path) -> None:
    show('<img src="missing.png">')
    missing = (tmp_path / "missing.png").as_uri()
    assert page.errors == [f"error: Failed to load resource: net::ERR_FILE_NOT_FOUND {missing}"]


def test_a_page_forgets_what_the_page_before_it_did(page: Page, show: Show) -> None:
    show('<script>nowhere()</script><img src="http://elsewhere.invalid/">')
    file = show("nothing wrong")
    assert page.requests == [file.as_uri()]
    assert page.errors == []


def test_a_script_of_ours_that_throws_and_a_command_that_is_refused_are_errors(page: Page) -> None:
    with pytest.raises(PageFailed, match="nowhere is not defined"):
        page.evaluate("nowhere()")
    with pytest.raises(PageFailed, match=r"Page\.fly"):
        page.do("Page.fly")


def test_pages_share_nothing(browser: Browser, page: Page, show: Show) -> None:
    file = show('<script>localStorage.word = "kept"</script>')
    with browser.page() as other:
        other.open(file.with_name("page.html").as_uri() + "?other")
        other.evaluate("localStorage.removeItem('word')")
    assert page.evaluate("localStorage.word") == "kept"


# What a page shows


def test_texts_and_attributes_can_be_read(page: Page, show: Show) -> None:
    show('<p class="a b" title="one">first <b>bold</b></p><p hidden>second</p><h2 style="text-transform: uppercase">x')
    assert page.texts("p, h2") == ["first bold", "second", "X"]
    assert page.attributes("p") == [{"class": "a b", "title": "one"}, {"hidden": ""}]
    assert page.attributes("table") == []


def test_numbers_are_read_with_their_attributes_wherever_they_stand(page: Page, show: Show) -> None:
    show(
        '<p><data value="1234567" data-metric="gross">12,345.67\n   </data> of'
        '<details><summary>more</summary><data value="0.5"><b>50</b> %</data></details>'
    )
    assert numbers(page) == [
        ({"value": "1234567", "data-metric": "gross"}, "12,345.67"),
        ({"value": "0.5"}, "50 %"),
    ]


def test_a_page_without_numbers_has_none(page: Page, show: Show) -> None:
    show("<p>12,345.67")
    assert numbers(page) == []


# How a page is looked at


def test_a_page_has_the_room_that_it_is_given(page: Page, show: Show) -> None:
    show("<p>text")
    page.resize(400, 700, scale=2)
    assert page.evaluate("[innerWidth, innerHeight, devicePixelRatio]") == [400, 700, 2]
    assert size_of(page.screenshot()) == (800, 1400)


def test_a_picture_of_the_full_page_has_all_of_it(page: Page, show: Show) -> None:
    page.resize(500, 300)
    show('<p style="height: 1980px">top</p><p>end</p>', head="<style>body, p {margin: 0; line-height: 20px}</style>")
    assert size_of(page.screenshot()) == (500, 300)
    whole = page.screenshot(full_page=True)
    assert size_of(whole) == (500, 2000)
    page.evaluate("document.querySelector('p:last-child').style.visibility = 'hidden'")
    assert page.screenshot(full_page=True) != whole


def test_a_page_can_be_seen_in_light_in_dark_and_on_paper(page: Page, show: Show) -> None:
    style = """<style>
        p::after {content: "light"} @media (prefers-color-scheme: dark) {p::after {content: "dark"}}
        p::before {content: "screen"} @media print {p::before {content: "paper"}}
    </style>"""
    show("<p>", head=style)
    seen = """["::before", "::after"].map((part) => getComputedStyle(document.querySelector("p"), part).content)"""
    page.emulate(scheme="dark")
    assert page.evaluate(seen) == ['"screen"', '"dark"']
    page.emulate(scheme="light")
    assert page.evaluate(seen) == ['"screen"', '"light"']
    page.emulate(scheme="light", media="print")
    assert page.evaluate(seen) == ['"paper"', '"light"']


# What does not fit


def faults(page: Page) -> list[tuple[str, str]]:
    return [(found.element, found.fault) for found in overflowing(page)]


STYLE = "<style>* {margin: 0; font: 16px/20px monospace} .narrow {width: 100px}</style>"
LONG = "one_word_that_is_wider_than_its_box"


def test_what_reaches_beyond_the_page_is_found(page: Page, show: Show) -> None:
    page.resize(400, 300)
    show('<div><p id="wide" class="a b" style="width: 460px">some text</p></div><p>fits</p>', head=STYLE)
    assert overflowing(page) == [('p#wide.a.b "some text"', "beyond the page", 60)]
    page.resize(460, 300)
    assert overflowing(page) == []


@pytest.mark.parametrize("overflow", ["visible", "hidden", "clip"])
def test_a_text_that_is_wider_than_its_box_is_found(page: Page, show: Show, overflow: str) -> None:
    show(f'<p class="narrow" style="overflow-x: {overflow}">{LONG}</p><p class="narrow">short</p>', head=STYLE)
    assert faults(page) == [(f'p.narrow "{LONG}"', "wider than its box")]


@pytest.mark.parametrize("overflow", ["auto", "scroll"])
def test_what_lies_in_something_that_scrolls_may_be_wide(page: Page, show: Show, overflow: str) -> None:
    page.resize(400, 300)
    show(f'<div style="overflow-x: {overflow}"><p style="width: 900px">{LONG}</p></div>', head=STYLE)
    assert overflowing(page) == []


def test_something_that_scrolls_must_itself_fit(page: Page, show: Show) -> None:
    page.resize(400, 300)
    show('<div style="overflow-x: auto; width: 500px">text</div>', head=STYLE)
    assert faults(page) == [('div "text"', "beyond the page")]


def test_a_cell_that_pushes_its_table_beyond_the_page_is_found_alone(page: Page, show: Show) -> None:
    page.resize(400, 300)
    show(f"<table><tr><td>short<td>{LONG * 3}</table>", head=STYLE)
    assert faults(page) == [(f'td "{(LONG * 3)[:40]}"', "beyond the page")]


@pytest.mark.parametrize(
    "style",
    [
        "display: none",
        "visibility: hidden",
        "opacity: 0",
        "position: absolute; width: 1px; height: 1px; overflow: hidden",  # for screen readers
    ],
)
def test_what_is_not_seen_does_not_have_to_fit(page: Page, show: Show, style: str) -> None:
    show(f'<p class="narrow" style="{style}">{LONG}</p>', head=STYLE)
    assert overflowing(page) == []


@pytest.mark.parametrize(
    ("x", "y", "cut_off"), [(10, 40, False), (150, 40, True), (-20, 40, True), (10, 5, True), (10, 99, True)]
)
def test_a_text_that_its_picture_cuts_off_is_found(page: Page, show: Show, x: int, y: int, cut_off: bool) -> None:
    show(f'<svg width="200" height="100"><g><text x="{x}" y="{y}">0123456789</text></g></svg>', head=STYLE)
    assert faults(page) == [('text "0123456789"', "outside its picture")] * cut_off


def test_a_picture_that_reaches_beyond_the_page_is_found(page: Page, show: Show) -> None:
    page.resize(400, 300)
    show('<svg width="500" height="100"><text x="10" y="40">text</text></svg>', head=STYLE)
    assert faults(page) == [('svg "text"', "beyond the page")]


# Texts on one another


def texts(*placed: tuple[str, str]) -> str:
    """An SVG of texts, each with its attributes."""
    inside = "".join(f"<text {attributes}>{text}</text>" for text, attributes in placed)
    return f'<svg width="400" height="400" font-family="monospace" font-size="16">{inside}</svg>'


def overlaps(page: Page) -> list[tuple[str, str]]:
    return [(found.text, found.other) for found in overlapping_texts(page)]


def test_texts_that_lie_on_one_another_are_found(page: Page, show: Show) -> None:
    show(texts(("left", 'x="10" y="50"'), ("right", 'x="35" y="52"'), ("below", 'x="10" y="90"')))
    assert overlaps(page) == [("left", "right")]


def test_texts_that_touch_do_not_lie_on_one_another(page: Page, show: Show) -> None:
    show(texts(("four", 'x="10" y="50" textLength="40"'), ("next", 'x="49" y="50"'), ("line", 'x="10" y="69"')))
    assert overlaps(page) == []


def test_how_far_texts_overlap_is_the_shorter_way_out(page: Page, show: Show) -> None:
    show(texts(("left", 'x="10" y="50" textLength="40"'), ("right", 'x="44" y="52" textLength="40"')))
    (found,) = overlapping_texts(page)
    assert found.pixels == pytest.approx(6, abs=0.5)
    assert overlapping_texts(page, pixels=7) == []


def test_texts_that_are_turned_overlap_only_where_they_do(page: Page, show: Show) -> None:
    """Two parallel lines at 45 degrees, 30 apart: the rectangles around them share much, the texts nothing."""
    turned = [("a long slanted label", f'transform="translate({x} 200) rotate(-45)"') for x in (50, 80)]
    show(texts(*turned))
    assert overlaps(page) == []
    show(texts(*turned, ("across", 'x="60" y="190"')))
    assert overlaps(page) == [("a long slanted label", "across"), ("a long slanted label", "across")]


@pytest.mark.parametrize("hidden", ['opacity="0"', 'visibility="hidden"', 'display="none"'])
def test_a_text_that_is_not_seen_covers_nothing(page: Page, show: Show, hidden: str) -> None:
    show(texts(("left", 'x="10" y="50"'), ("right", f'x="15" y="50" {hidden}')))
    assert overlaps(page) == []


def test_a_texts_own_outline_is_no_overlap(page: Page, show: Show) -> None:
    show(texts(("name", 'x="10" y="50" stroke="white" stroke-width="3"'), ("name", 'x="10" y="50"')))
    assert overlaps(page) == []


def test_texts_of_two_pictures_are_no_pair(page: Page, show: Show) -> None:
    picture = texts(("name", 'x="10" y="50"'))
    show(f'<div style="position: relative">{picture}<div style="position: absolute; top: 3px; left: 0">{picture}</div>')
    assert overlaps(page) == []
