"""A malformed scenario is refused with a message that names file, key, value and remedy; all its problems at once."""

from pathlib import Path

import pytest

from sim_engine import InputError, load_scenario

AGENTS = "agents: [{id: BANK_A, opening_balance: 0}, {id: BANK_B, opening_balance: 0}]\n"
HEAD = "name: bad\nticks_per_day: 20\n" + AGENTS


def arrival(**changes: object) -> str:
    """A scenario with one listed payment, of which some keys are changed; None leaves a key out."""
    stated = {"id": "T1", "sender": "BANK_A", "receiver": "BANK_B", "amount": 50, "tick": 5} | changes
    members = ", ".join(f"{key}: {value}" for key, value in stated.items() if value is not None)
    return f"{HEAD}arrivals: [{{{members}}}]\n"


MALFORMED: dict[str, tuple[str, str]] = {
    "empty file": ("", "  the file is empty; see scenarios/ for files to start from"),
    "comments alone": ("# a scenario\n", "  the file is empty; see scenarios/ for files to start from"),
    "a list": (
        "- name: bad\n",
        "  found [{'name': 'bad'}]; the file must hold keys and values, such as 'name: my_scenario'",
    ),
    "a text": ("bad\n", "  found 'bad'; the file must hold keys and values, such as 'name: my_scenario'"),
    "not YAML": (
        "name: [bad\nticks_per_day: 20\n",
        "  line 2, column 14: not valid YAML: while parsing a flow sequence: expected ',' or ']', but got ':'; "
        "check quotes, brackets and indentation there (blanks, no tabs)",
    ),
    "a key twice": (HEAD + "name: worse\n", "  line 4, column 1: key 'name' stands twice: keep one of them"),
    "a key that YAML reads otherwise": (
        HEAD + "off: 1\n",
        "  line 4, column 1: YAML reads the key off as false: put it in quotes",
    ),
    "an unknown key": (HEAD + "tick_per_day: 3\n", "  tick_per_day: unknown key; did you mean 'ticks_per_day'?"),
    "an unknown nested key": (HEAD + "lsm: {rings: false}\n", "  lsm.rings: unknown key; did you mean 'ring'?"),
    "a key that resembles none": (
        HEAD + "queue2: {x: 1}\n",
        "  queue2.x: unknown key; known are: discipline, entry",
    ),
    "a missing key": ("ticks_per_day: 20\n" + AGENTS, "  name: missing; this key is needed"),
    "a name with blanks": (
        "name: 'bad day'\nticks_per_day: 20\n" + AGENTS,
        "  name: found 'bad day'; must be letters, digits and '_', at most 64",
    ),
    "one agent": (
        "name: bad\nticks_per_day: 20\nagents: [{id: BANK_A, opening_balance: 0}]\n",
        "  agents: needs at least 2, has 1",
    ),
    "an agent twice": (
        "name: bad\nticks_per_day: 20\nagents: [{id: A, opening_balance: 0}, {id: A, opening_balance: 1}]\n",
        "  agents[1].id: found 'A'; duplicate agent: agents[0] bears it already; give each its own",
    ),
    "an unknown sender": (
        arrival(sender="BANK_X"),
        "  arrivals[0].sender: found 'BANK_X'; no such agent; did you mean 'BANK_B'?",
    ),
    "an unknown receiver": (
        arrival(receiver="Somebody"),
        "  arrivals[0].receiver: found 'Somebody'; no such agent; known are: BANK_A, BANK_B",
    ),
    "sender = receiver": (
        arrival(receiver="BANK_A"),
        "  arrivals[0].receiver: found 'BANK_A'; an agent cannot pay itself; name another receiver",
    ),
    "a negative amount": (arrival(amount=-5), "  arrivals[0].amount: found -5; must be above 0"),
    "an amount of zero": (arrival(amount=0), "  arrivals[0].amount: found 0; must be above 0"),
    "float money": (
        arrival(amount=1.5),
        "  arrivals[0].amount: found 1.5; must be a whole number of minor units (cents)",
    ),
    "float money that is whole": (
        arrival(amount=1.0),
        "  arrivals[0].amount: found 1.0; must be a whole number of minor units (cents)",
    ),
    "boolean money": (
        arrival(amount="yes"),
        "  arrivals[0].amount: found true; must be a whole number of minor units (cents); "
        "YAML reads unquoted yes, no, on and off as true and false",
    ),
    "quoted money": (
        arrival(amount='"1,000"'),
        "  arrivals[0].amount: found '1,000'; must be a whole number of minor units (cents); "
        "write it as digits, without quotes",
    ),
    "no amount": (arrival(amount=None), "  arrivals[0].amount: missing; this key is needed"),
    "an amount beyond int64": (
        arrival(amount=2**63),
        "  arrivals[0].amount: found 9223372036854775808; must be at most 9223372036854775807",
    ),
    "money that sums beyond int64": (
        "name: bad\nticks_per_day: 20\n"
        "agents: [{id: BANK_A, opening_balance: 9223372036854775807}, {id: BANK_B, opening_balance: 1}]\n",
        "  opening balances plus all amounts come to 9223372036854775808; "
        "scale them down to 9223372036854775807 or less",
    ),
    "credit beyond int64": (
        "name: bad\nticks_per_day: 20\nagents:\n"
        "  - {id: BANK_A, opening_balance: 1}\n"
        "  - {id: BANK_B, opening_balance: 0, credit_limit: 9223372036854775807}\n",
        "  agents[1].credit_limit: found 9223372036854775807; credit capacity and all money of the simulation (1) must "
        "stay at or below 9223372036854775807; lower it",
    ),
    "a negative balance": (
        HEAD.replace("BANK_B, opening_balance: 0", "BANK_B, opening_balance: -1"),
        "  agents[1].opening_balance: found -1; must be at least 0",
    ),
    "a tick after the run": (
        arrival(tick=20),
        "  arrivals[0].tick: found 20; outside the run, whose ticks are 0..19; move it or raise num_days",
    ),
    "a negative tick": (arrival(tick=-1), "  arrivals[0].tick: found -1; must be at least 0"),
    "a deadline before the payment": (
        arrival(deadline=4),
        "  arrivals[0].deadline: found 4; lies before the payment's tick 5; move one of them",
    ),
    "an unknown priority": (
        arrival(priority="high"),
        "  arrivals[0].priority: found 'high'; must be one of 'urgent', 'normal' or 'low'",
    ),
    "a transaction twice": (
        f"{HEAD}arrivals:\n"
        "  - {id: T1, sender: BANK_A, receiver: BANK_B, amount: 5, tick: 5}\n"
        "  - {id: T1, sender: BANK_B, receiver: BANK_A, amount: 6, tick: 6}\n",
        "  arrivals[1].id: found 'T1'; duplicate transaction: arrivals[0] bears it already; give each its own",
    ),
    "a reserved id": (
        arrival(id="gen:1"),
        "  arrivals[0].id: found 'gen:1'; 'gen:' is reserved for derived ids; name it otherwise",
    ),
    "arrivals that are no list": (HEAD + "arrivals: {T1: 5}\n", "  arrivals: found {'T1': 5}; must be a list"),
    "an arrival that is no mapping": (HEAD + "arrivals: [5]\n", "  arrivals[0]: found 5; must hold keys and values"),
    "costs": (HEAD + "costs: {overdraft: 1}\n", "  costs: cannot be charged yet; leave the key out"),
    "collateral": (
        HEAD + "collateral: {}\n",
        "  collateral: cannot change during a run yet; state 'posted_collateral' and 'haircut_bp' per agent",
    ),
    "limits": (HEAD + "limits: {}\n", "  limits: cannot be simulated yet; leave the key out"),
    "an unknown selection": (
        HEAD + "lsm: {selection: max_value}\n",
        "  lsm.selection: found 'max_value'; must be 'fifo'",
    ),
    "a switch that is no boolean": (HEAD + "lsm: {ring: 1}\n", "  lsm.ring: found 1; must be true or false"),
    "a word that YAML reads as a boolean": (
        HEAD + "queue2: {entry: no}\n",
        "  queue2.entry: found false; must be one of 'settle' or 'queue'; "
        "YAML reads unquoted yes, no, on and off as true and false",
    ),
    "too many days": (HEAD + "num_days: 366\n", "  num_days: found 366; must be at most 365"),
    "a rate that is no number": (
        HEAD + "generate: {default: {payments_per_day: .nan, amount: {median: 5}}}\n",
        "  generate.default.payments_per_day: found nan; must be a number",
    ),
    "generated payments of no amount": (
        HEAD + "generate: {agents: {BANK_A: {payments_per_day: 5}, BANK_B: {payments_per_day: 0}}}\n",
        "  generate.agents.BANK_A.amount: missing; state it here or in generate.default\n"
        "  generate.agents.BANK_A.counterparties: nobody to pay: give another agent a weight above 0",
    ),
    "a payments file of another kind": (
        HEAD + "arrivals_file: payments.xlsx\n",
        "  arrivals_file: found 'payments.xlsx'; must be a .csv or a .parquet file",
    ),
}
"""By what is wrong with it: the text of a scenario, and what is said of it after its name and number of problems."""


def message(file: Path, problems: str) -> str:
    """The whole message that refuses a file."""
    count = len(problems.splitlines())
    return f"{file}: {count} problem{'s' if count > 1 else ''}\n{problems}"


def refusal(file: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_scenario(file)
    return str(caught.value)


@pytest.mark.parametrize("wrong", sorted(MALFORMED.keys() - {"a payments file of another kind"}))
def test_a_malformed_scenario_is_refused_by_file_key_value_and_remedy(wrong: str, tmp_path: Path) -> None:
    text, problems = MALFORMED[wrong]
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    assert refusal(file) == message(file, problems)


def test_all_problems_of_a_file_are_reported_at_once_and_in_its_order(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("""
name: bad
ticks_per_day: 20
tick_per_day: 3
agents:
  - {id: BANK_A, opening_balanse: 0}
  - {id: BANK_B, opening_balance: -5, credit_limit: 1.5}
arrivals:
  - {id: T1, sender: BANK_X, receiver: BANK_B, amount: 5, tick: 25}
  - {id: T1, sender: BANK_B, receiver: BANK_B, amount: 0, tick: 5}
costs: {}
num_days: 0
""")
    assert refusal(file) == message(
        file,
        "  tick_per_day: unknown key; did you mean 'ticks_per_day'?\n"
        "  agents[0].opening_balanse: unknown key; did you mean 'opening_balance'?\n"
        "  agents[0].opening_balance: missing; this key is needed\n"
        "  agents[1].opening_balance: found -5; must be at least 0\n"
        "  agents[1].credit_limit: found 1.5; must be a whole number of minor units (cents)\n"
        "  arrivals[0].sender: found 'BANK_X'; no such agent; did you mean 'BANK_B'?\n"
        "  arrivals[1].id: found 'T1'; duplicate transaction: arrivals[0] bears it already; give each its own\n"
        "  arrivals[1].receiver: found 'BANK_B'; an agent cannot pay itself; name another receiver\n"
        "  arrivals[1].amount: found 0; must be above 0\n"
        "  costs: cannot be charged yet; leave the key out\n"
        "  num_days: found 0; must be at least 1",
    )


def test_a_tick_outside_the_run_is_reported_beside_other_problems(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(arrival(tick=20, amount=-1))
    assert refusal(file) == message(
        file,
        "  arrivals[0].amount: found -1; must be above 0\n"
        "  arrivals[0].tick: found 20; outside the run, whose ticks are 0..19; move it or raise num_days",
    )


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "none.yaml"
    assert refusal(file) == message(file, "  cannot be read: No such file or directory; name a readable YAML file")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == message(tmp_path, "  cannot be read: Is a directory; name a readable YAML file")


def test_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes("name: Zürich\n".encode("latin-1"))
    assert refusal(file) == message(file, "  cannot be read: it is not UTF-8 text; name a readable YAML file")


def test_a_payments_file_of_another_kind_is_refused_under_its_own_name(tmp_path: Path) -> None:
    text, problems = MALFORMED["a payments file of another kind"]
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    assert refusal(file) == message(tmp_path / "payments.xlsx", problems)


def test_a_shown_value_is_cut_when_it_is_long(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(HEAD + f"queue2: {{entry: {'x' * 500}}}\n")
    assert refusal(file) == message(file, f"  queue2.entry: found '{'x' * 78}…; must be one of 'settle' or 'queue'")


def test_a_sound_scenario_is_not_refused(tmp_path: Path) -> None:
    file = tmp_path / "good.yaml"
    file.write_text(arrival())
    assert load_scenario(file).stated.arrivals[0].amount == 50


@pytest.mark.parametrize(("written", "number"), [("010", 8), ("0x10", 16), ("12:30", 750), ("0b11", 3)])
def test_a_number_that_yaml_would_read_as_another_is_refused(written: str, number: int, tmp_path: Path) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text(f"name: odd\nticks_per_day: {written}\n")
    with pytest.raises(InputError) as refused:
        load_scenario(file)
    said = f"YAML reads {written} as the number {number}: write it in plain digits, or put it in quotes"
    assert said in str(refused.value)
    assert "line 2, column 16" in str(refused.value)
