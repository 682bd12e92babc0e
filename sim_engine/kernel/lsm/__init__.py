"""Liquidity-saving mechanisms, compiled (SPEC 4)."""
