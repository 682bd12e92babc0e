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


def agent(stated: str) -> str:
    """A scenario whose first agent states more than it must."""
    return HEAD.replace("{id: BANK_A, opening_balance: 0}", f"{{id: BANK_A, opening_balance: 0, {stated}}}")


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
    "an unknown policy": (
        agent("policy: deadlines"),
        "  agents[0].policy: found 'deadlines'; no such policy; did you mean 'deadline'?",
    ),
    "a policy without its parameter": (
        agent("policy: receipt_reactive"),
        "  agents[0].policy.receipt_reactive.allowance: missing; this key is needed",
    ),
    "a policy that lacks one of two parameters": (
        agent("policy: {liquidity_aware: {target_buffer: 500}}"),
        "  agents[0].policy.liquidity_aware.urgency_ticks: missing; this key is needed",
    ),
    "a misspelt parameter of a policy": (
        agent("policy: {deadline: {urgency: 3}}"),
        "  agents[0].policy.deadline.urgency: unknown key; did you mean 'urgency_ticks'?\n"
        "  agents[0].policy.deadline.urgency_ticks: missing; this key is needed",
    ),
    "a negative parameter of a policy": (
        agent("policy: {deadline: {urgency_ticks: -1}}"),
        "  agents[0].policy.deadline.urgency_ticks: found -1; must be at least 0",
    ),
    "a negative allowance": (
        agent("policy: {receipt_reactive: {allowance: -1}}"),
        "  agents[0].policy.receipt_reactive.allowance: found -1; must be at least 0",
    ),
    "two policies at once": (
        agent("policy: {fifo: {}, deadline: {urgency_ticks: 1}}"),
        "  agents[0].policy: found {'fifo': {}, 'deadline': {'urgency_ticks': 1}}; must be one of fifo, deadline, "
        "liquidity_aware, receipt_reactive, scheduled, with its parameters below it",
    ),
    "a throughput guideline without a step": (
        agent("policy: {scheduled: {profile: []}}"),
        "  agents[0].policy.scheduled.profile: needs at least 1, has 0",
    ),
    "a throughput guideline whose shares fall": (
        agent("policy: {scheduled: {profile: [{tick: 2, share_bp: 5}, {tick: 3, share_bp: 4}]}}"),
        "  agents[0].policy.scheduled.profile: found [{'tick': 2, 'share_bp': 5}, {'tick': 3, 'share_bp': 4}]; "
        "ticks and shares must ascend, each tick stated once",
    ),
    "a throughput guideline that states a tick twice": (
        agent("policy: {scheduled: {profile: [{tick: 2, share_bp: 5}, {tick: 2, share_bp: 6}]}}"),
        "  agents[0].policy.scheduled.profile: found [{'tick': 2, 'share_bp': 5}, {'tick': 2, 'share_bp': 6}]; "
        "ticks and shares must ascend, each tick stated once",
    ),
    "a share above the whole": (
        agent("policy: {scheduled: {profile: [{tick: 2, share_bp: 10001}]}}"),
        "  agents[0].policy.scheduled.profile[0].share_bp: found 10001; must be at most 10000",
    ),
    "policy changes out of order": (
        agent("policy_changes: [{day: 2, policy: fifo}, {day: 1, policy: fifo}]"),
        "  agents[0].policy_changes[1].day: found 1; must come after day 2, on which the change before it is; "
        "put them in order",
    ),
    "two policy changes on one day": (
        agent("policy_changes: [{day: 2, policy: fifo}, {day: 2, policy: fifo}]"),
        "  agents[0].policy_changes[1].day: found 2; must come after day 2, on which the change before it is; "
        "put them in order",
    ),
    "a policy change on the first day": (
        agent("policy_changes: [{day: 0, policy: fifo}]"),
        "  agents[0].policy_changes[0].day: found 0; must be at least 1",
    ),
    "no policy": (
        agent("policy: null"),
        "  agents[0].policy: found null; must be one of fifo, deadline, liquidity_aware, receipt_reactive, scheduled, "
        "with its parameters below it",
    ),
    "a parameter of a policy that takes none": (
        agent("policy: {fifo: {a: 1}}"),
        "  agents[0].policy.fifo.a: unknown key; there are none here; leave it out",
    ),
    "a rule of collateral without what it takes": (
        agent("collateral: on_need"),
        "  agents[0].collateral: found 'on_need'; must be 'static', or hold on_need or return_when_idle with what they "
        "take below them",
    ),
    "a schedule beyond the day": (
        agent("policy: {scheduled: {profile: [{tick: 20, share_bp: 10000}]}}"),
        "  agents[0].policy.scheduled.profile[0].tick: found 20; is no tick of the day, whose ticks are 0..19; "
        "move the step",
    ),
    "limits of no agent": (
        HEAD + "limits: {multilateral: 5}\n",
        "  limits: unknown key here; each agent states its own, below 'agents'",
    ),
    "a change to an unknown policy": (
        agent("policy_changes: [{day: 1, policy: fifi}]"),
        "  agents[0].policy_changes[0].policy: found 'fifi'; no such policy; did you mean 'fifo'?",
    ),
    "collateral at most below what is posted": (
        agent("posted_collateral: 10, collateral: {on_need: {max: 5}}"),
        "  agents[0].collateral.on_need.max: found 5; is below the agent's posted_collateral 10; raise it",
    ),
    "collateral that comes back after no tick": (
        agent("collateral: {return_when_idle: {ticks: 0}}"),
        "  agents[0].collateral.return_when_idle.ticks: found 0; must be at least 1",
    ),
    "a misspelt rule of collateral": (
        agent("collateral: {on_neeed: {max: 5}}"),
        "  agents[0].collateral.on_neeed: unknown key; did you mean 'on_need'?",
    ),
    "a limit towards an unknown agent": (
        agent("limits: {bilateral: {BANK_C: 50}}"),
        "  agents[0].limits.bilateral.BANK_C: no such agent; did you mean 'BANK_B'?",
    ),
    "a limit towards itself": (
        agent("limits: {bilateral: {BANK_A: 50}}"),
        "  agents[0].limits.bilateral.BANK_A: an agent pays others only; leave it out",
    ),
    "a negative bilateral limit": (
        agent("limits: {bilateral: {BANK_B: -50}}"),
        "  agents[0].limits.bilateral.BANK_B: found -50; must be at least 0",
    ),
    "a negative multilateral limit": (
        agent("limits: {multilateral: -50}"),
        "  agents[0].limits.multilateral: found -50; must be at least 0",
    ),
    "a negative reservation": (
        agent("reserved_for_urgent: -1"),
        "  agents[0].reserved_for_urgent: found -1; must be at least 0",
    ),
    "an unknown rule of entry": (
        HEAD + "queue2: {entry: urgent}\n",
        "  queue2.entry: found 'urgent'; must be one of 'settle', 'settle_urgent' or 'queue'",
    ),
    "an offset on entry where entry only queues": (
        HEAD + "queue2: {entry: queue}\nlsm: {entry_offset: true}\n",
        "  lsm.entry_offset: found true; does nothing where 'queue2.entry: queue' lets entry only queue; "
        "switch one of them off",
    ),
    "an offset on entry by preset where entry only queues": (
        HEAD + "preset: t2\nqueue2: {entry: queue}\n",
        "  lsm.entry_offset: found true; does nothing where 'queue2.entry: queue' lets entry only queue; "
        "switch one of them off",
    ),
    "a bilateral offset of no payment": (
        HEAD + "lsm: {bilateral_max_payments: 0}\n",
        "  lsm.bilateral_max_payments: found 0; must be at least 1",
    ),
    "rings that are too long": (
        HEAD + "lsm: {max_cycle_length: 11}\n",
        "  lsm.max_cycle_length: found 11; must be at most 10",
    ),
    "a cost without its unit": (
        HEAD + "costs: {overdraft: 1}\n",
        "  costs.overdraft: unknown key; did you mean 'overdraft_bp'?",
    ),
    "a negative cost": (HEAD + "costs: {delay_bp: -1}\n", "  costs.delay_bp: found -1; must be at least 0"),
    "a cost of more than a hundred times the value": (
        HEAD + "costs: {unsettled_bp: 1000001}\n",
        "  costs.unsettled_bp: found 1000001; must be at most 1000000",
    ),
    "a cost in parts of a basis point": (
        HEAD + "costs: {collateral_bp: 0.5}\n",
        "  costs.collateral_bp: found 0.5; must be a whole number",
    ),
    "a weight of an unknown priority": (
        HEAD + "costs: {delay_weights: {high: 200}}\n",
        "  costs.delay_weights.high: unknown key; known are: urgent, normal, low",
    ),
    "an unknown preset": (
        HEAD + "preset: target2\n",
        "  preset: found 'target2'; must be one of 'plain_rtgs', 't2', 'chaps', 'rits' or 'lynx'",
    ),
    "a misspelt switch over a preset": (
        HEAD + "preset: t2\nlsm: {rings: true}\n",
        "  lsm.rings: unknown key; did you mean 'ring'?",
    ),
    "no switches over a preset": (
        HEAD + "preset: t2\nlsm:\n",
        "  lsm: found null; must hold keys and values; {} for none",
    ),
    "an unknown selection": (
        HEAD + "lsm: {selection: max_value}\n",
        "  lsm.selection: found 'max_value'; must be 'fifo'",
    ),
    "a switch that is no boolean": (HEAD + "lsm: {ring: 1}\n", "  lsm.ring: found 1; must be true or false"),
    "a word that YAML reads as a boolean": (
        HEAD + "queue2: {entry: no}\n",
        "  queue2.entry: found false; must be one of 'settle', 'settle_urgent' or 'queue'; "
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
costs: {delay_bp: -1}
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
        "  costs.delay_bp: found -1; must be at least 0\n"
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
    assert refusal(file) == message(
        file, f"  queue2.entry: found '{'x' * 78}…; must be one of 'settle', 'settle_urgent' or 'queue'"
    )


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
