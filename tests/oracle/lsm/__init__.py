"""The liquidity-saving mechanisms (SPEC 4): the netting rule, its three scopes, and the passes that try them."""
