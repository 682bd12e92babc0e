"""The words that tables spell out and the engine's arrays hold as small numbers: a word's code is its place here."""

PRIORITIES = ("urgent", "normal", "low")
"""Classes of Queue 2, first served first."""

MECHANISMS = ("immediate", "queue", "bilateral", "ring", "gridlock", "entry_offset")
"""What settled a transaction: itself on entry, a retry of the queue, or one of the liquidity-saving mechanisms."""

IMMEDIATE, QUEUE, BILATERAL, RING, GRIDLOCK, ENTRY_OFFSET = range(len(MECHANISMS))

LSM_MECHANISMS = tuple(MECHANISMS[BILATERAL:])
"""Those that net queued transactions; they and no others state a pass and a cycle."""

CYCLE_TYPES = ("bilateral", "multilateral")
"""Cycles between 2 agents, and among 3 or more."""

WAIT_REASONS = ("liquidity", "behind_another", "entry_rule")
"""Why a transaction joined Queue 2: its sender was short of liquidity; discipline `fifo` put it behind another of its
sender; or `entry: queue` lets nothing settle alone."""

LIQUIDITY, BEHIND_ANOTHER, ENTRY_RULE = range(len(WAIT_REASONS))

HIT_LIMITS = ("none", "passes", "cycles")
"""Which bound cut an LSM run short."""

NO_LIMIT, PASSES_LIMIT, CYCLES_LIMIT = range(len(HIT_LIMITS))

OUTCOMES = ("carried", "cancelled")
"""What became of a transaction that was unsettled at the end of a day."""

CARRIED, CANCELLED = range(len(OUTCOMES))

NONE = -1
"""Stands for null in the engine's arrays."""
