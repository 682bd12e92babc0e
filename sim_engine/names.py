"""What things may be called, as patterns that a whole name must match, and in words."""

NAME = (r"[A-Za-z0-9_]{1,64}", "letters, digits and '_', at most 64")
"""Scenarios, runs and arms."""

AGENT = (r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}", "letters, digits, '_', '.' and '-', a letter or digit first, at most 64")

TRANSACTION = (
    r"[^\s\x00-\x1f\x7f\ud800-\udfff]{1,128}",
    "at most 128 characters, none of them a blank or a control character",
)

GENERATED_ID_PREFIX = "gen:"
LISTED_ID_PREFIX = "listed:"
"""Begin ids that are derived: of generated payments, and of listed ones without an id of their own."""
