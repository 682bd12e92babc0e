"""Generated payments: what a scenario's `generate` comes to as arrays, and the compiled code that draws from it."""
