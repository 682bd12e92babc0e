"""The rules of settlement in plain Python: one module per step of the tick (SPEC 3) and per mechanism (SPEC 4)."""
