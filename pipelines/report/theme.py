"""Colours, and charts as SVG that takes its colours from the page: one drawing, light or dark as the reader has it.

Charts are drawn in stand-in colours, one for each role. In SVG they become the page's custom properties, so that the
page decides what they look like; in PNG the colours of the light page.

The hues are those that Okabe and Ito chose to be told apart with any colour vision (Color Universal Design, 2008),
lighter on dark ground. What a hue says is said again by a label, an order or a dash.
"""

import json
import re
import xml.etree.ElementTree as ET

import altair as alt
import vl_convert

LIGHT = {
    "surface": "#ffffff",
    "ink": "#1b2733",
    "soft": "#566472",
    "grid": "#dde3e8",
    "bilateral": "#0072b2",
    "ring": "#d55e00",
    "gridlock": "#009e73",
    "gridlock_pair": "#00573f",
    "entry_offset": "#b8578f",
    "on": "#0072b2",
    "off": "#6b7680",
    "gross": "#6f94b0",
    "net": "#0b3f63",
    "gives": "#d55e00",
    "gets": "#0072b2",
}
"""Colours on the light page, by role; text on `surface` has a contrast of at least 4.5."""

DARK = {
    "surface": "#12181f",
    "ink": "#e6ebf0",
    "soft": "#a3b0bd",
    "grid": "#2c3742",
    "bilateral": "#56b4e9",
    "ring": "#e69f00",
    "gridlock": "#2fc29a",
    "gridlock_pair": "#a5ead6",
    "entry_offset": "#e08cc0",
    "on": "#56b4e9",
    "off": "#98a4af",
    "gross": "#5b7f9b",
    "net": "#8fd0f5",
    "gives": "#e69f00",
    "gets": "#56b4e9",
}
"""Colours on the dark page, by role."""

FONT = "Arial, 'Liberation Sans', Helvetica, sans-serif"

_STAND_INS = {role: f"#f0e1{place:02x}" for place, role in enumerate(LIGHT)}
_SVG = "http://www.w3.org/2000/svg"
_PNG_SCALE = 1.5


def color(role: str) -> str:
    """The colour in which charts draw a role."""
    return _STAND_INS[role]


def variables(colors: dict[str, str]) -> str:
    """The page's custom properties for these colours, as CSS declarations."""
    return " ".join(f"--{role.replace('_', '-')}: {value};" for role, value in colors.items())


def svg(chart: alt.TopLevelMixin, name: str, said: str) -> str:
    """A chart as an SVG element of a page, in the colours of that page.

    name: unlike any other's on the page; keeps the ids in it apart. said: what the chart shows, for who cannot see it.
    Each mark has what its `description` says as a tooltip.
    """
    drawn = vl_convert.vegalite_to_svg(_spec(chart))
    for role, stand_in in _STAND_INS.items():
        drawn = drawn.replace(stand_in, f"var(--{role.replace('_', '-')})")
    drawn = re.sub(r'(id="|url\(#)(clip|gradient)', rf"\1{name}-\2", drawn)
    ET.register_namespace("", _SVG)
    root = ET.fromstring(drawn)
    root.attrib.pop("class", None)
    root.set("role", "img")
    root.set("aria-label", said)
    for element in root.iter():
        if element.get("role") == "graphics-symbol":
            _told_by_tooltip(element)
        for attribute in ("role", "aria-roledescription", "aria-hidden", "pointer-events"):
            if element is not root:
                element.attrib.pop(attribute, None)
    return ET.tostring(root, encoding="unicode")


def png(chart: alt.TopLevelMixin, scale: float = _PNG_SCALE) -> bytes:
    """A chart as a picture, in the colours of the light page, so many of its pixels to one of the chart's."""
    spec = _spec(chart)
    for role, stand_in in _STAND_INS.items():
        spec = spec.replace(stand_in, LIGHT[role])
    return bytes(vl_convert.vegalite_to_png(spec, scale=scale))


def _spec(chart: alt.TopLevelMixin) -> str:
    return json.dumps({**chart.to_dict(), "config": _CONFIG})


def _told_by_tooltip(element: ET.Element) -> None:
    """Says a mark's label as its tooltip too; axes and legends have theirs from the chart's own words."""
    said = element.attrib.pop("aria-label", None)
    if said and element.get("aria-roledescription") not in ("axis", "legend", "title"):
        tooltip = ET.Element(f"{{{_SVG}}}title")
        tooltip.text = said
        element.insert(0, tooltip)


_TEXT = {"labelColor": color("soft"), "titleColor": color("soft"), "labelFontSize": 11, "titleFontSize": 11}
_CONFIG = {
    "background": color("surface"),
    "font": FONT,
    "padding": 2,
    "view": {"stroke": None},
    "text": {"color": color("ink"), "fontSize": 11},
    "axis": {
        **_TEXT,
        "titleFontWeight": "normal",
        "gridColor": color("grid"),
        "domainColor": color("grid"),
        "tickColor": color("grid"),
        "labelLimit": 150,
        "labelOverlap": True,
    },
    "legend": {**_TEXT, "titleFontWeight": "normal", "orient": "top", "symbolType": "square", "labelLimit": 200},
}
