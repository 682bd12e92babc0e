"""The words that tables spell out and the engine's arrays hold as small numbers: a word's code is its place here."""

PRIORITIES = ("urgent", "normal", "low")
"""Classes of Queue 2, first served first."""

URGENT, NORMAL, LOW = range(len(PRIORITIES))

MECHANISMS = ("immediate", "queue", "bilateral", "ring", "gridlock", "entry_offset")
"""What settled a transaction: itself on entry, a retry of the queue, or one of the liquidity-saving mechanisms."""

IMMEDIATE, QUEUE, BILATERAL, RING, GRIDLOCK, ENTRY_OFFSET = range(len(MECHANISMS))

LSM_MECHANISMS = tuple(MECHANISMS[BILATERAL:])
"""Those that net queued transactions; they and no others state a pass and a cycle."""

CYCLE_TYPES = ("bilateral", "multilateral")
"""Cycles between 2 agents, and among 3 or more."""

WAIT_REASONS = (
    "liquidity", "behind_another", "entry_rule", "bilateral_limit", "multilateral_limit", "reservation", "policy",
)  # fmt: skip
"""Why a transaction joined Queue 2: its sender was short of liquidity; discipline `fifo` put it behind another of its
sender; `queue2.entry` does not let it settle alone; its sender's limit towards its receiver, or towards all others
together, was reached; or what its sender has is reserved for urgent transactions. And why it stands in Queue 1: its
sender's policy."""

LIQUIDITY, BEHIND_ANOTHER, ENTRY_RULE, BILATERAL_LIMIT, MULTILATERAL_LIMIT, RESERVATION, POLICY = range(
    len(WAIT_REASONS)
)

COLLATERAL_ACTIONS = ("posted", "withdrawn")
"""What an agent did with collateral."""

POSTED, WITHDRAWN = range(len(COLLATERAL_ACTIONS))

COLLATERAL_REASONS = ("on_need", "idle")
"""Why it did: to cover what it has submitted, or because it had nothing to pay for long enough."""

ON_NEED, IDLE = range(len(COLLATERAL_REASONS))

HIT_LIMITS = ("none", "passes", "cycles")
"""Which bound cut an LSM run short."""

NO_LIMIT, PASSES_LIMIT, CYCLES_LIMIT = range(len(HIT_LIMITS))

OUTCOMES = ("carried", "cancelled")
"""What became of a transaction that was unsettled at the end of a day."""

CARRIED, CANCELLED = range(len(OUTCOMES))

NONE = -1
"""Stands for null in the engine's arrays."""
