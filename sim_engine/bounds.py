"""How large things may get."""

MONEY_MAX = 2**63 - 1
"""Largest sum of minor units that the tables' int64 holds."""

TICK_MAX = 2**31 - 1
"""Largest tick that may be named."""

SEED_MAX = 2**63 - 1
"""Largest seed that the tables' int64 holds."""

DAYS_MAX = 365
"""Longest simulation; the orchestration's day keys run from d001 to d365."""
