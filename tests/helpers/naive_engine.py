"""The rules of SPEC 3 and 4 once more, word for word and without any thought for speed.

Nothing here comes from sim_engine: every fact is recomputed from the queue when it is needed, every ring is listed
before one is chosen. What the engine does is compared with this.
"""

from dataclasses import dataclass, field
from itertools import permutations
from math import inf


@dataclass(eq=False)
class Payment:
    """A payment; priority is 0 (urgent), 1 or 2."""

    id: str
    sender: int
    receiver: int
    amount: int
    priority: int
    arrival_tick: int
    arrival_seq: int
    entry_tick: int = -1
    entry_seq: int = -1
    wait_reason: str | None = None


@dataclass
class DayNotes:
    """What a day left behind.

    settlements: (id, tick, step, mechanism, entry_tick, entry_seq, lsm_pass, cycle_seq, wait_reason).
    """

    settlements: list[tuple] = field(default_factory=list)
    cycles: list[tuple] = field(default_factory=list)
    runs: list[tuple] = field(default_factory=list)
    queued: list[tuple] = field(default_factory=list)
    tick_ends: list[tuple] = field(default_factory=list)
    min_balances: list[int] = field(default_factory=list)
    max_balances: list[int] = field(default_factory=list)
    steps: int = 0


class NaiveEngine:
    """A simulation. rules: the scenario file's values, as ScenarioFile has them."""

    def __init__(self, rules):
        self.rules = rules
        self.agents = range(len(rules.agents))
        self.balances = [agent.opening_balance for agent in rules.agents]
        self.capacity = [
            agent.credit_limit + (agent.posted_collateral * (10_000 - agent.haircut_bp)) // 10_000
            for agent in rules.agents
        ]
        self.queue = []  # Queue 2, in no particular order
        self.entries = 0

    # What can be asked of the queue

    def available(self, agent):
        return self.balances[agent] + self.capacity[agent]

    def in_order(self):
        return sorted(self.queue, key=lambda payment: (payment.priority, payment.entry_seq))

    def oldest(self, sender, receiver):
        return next((p for p in self.in_order() if (p.sender, p.receiver) == (sender, receiver)), None)

    # A day

    def run_day(self, day, arrivals):
        """arrivals: the day's payments in order of arrival."""
        self.notes = DayNotes(min_balances=list(self.balances), max_balances=list(self.balances))
        self.touched = set(self.agents)
        self.new = {(i, j) for i in self.agents for j in self.agents}
        self.low = dict.fromkeys(self.agents, -inf)
        self.seen_available = [self.available(agent) for agent in self.agents]
        self.seen_oldest = self.all_oldest()
        ticks = self.rules.ticks_per_day
        for tick in range(day * ticks, (day + 1) * ticks):
            self.enter(tick, [payment for payment in arrivals if payment.arrival_tick == tick])
            self.retry(tick)
            if (tick % ticks + 1) % self.rules.lsm.every_ticks == 0 or tick % ticks == ticks - 1:
                self.run_lsm(tick)
            overdrawn = sum(-balance for balance in self.balances if balance < 0)
            self.notes.tick_ends.append((len(self.queue), sum(p.amount for p in self.queue), overdrawn))
        self.notes.queued = [(p.id, p.entry_tick, p.entry_seq) for p in self.in_order()]
        if self.rules.end_of_day == "cancel":
            self.queue = []
        return self.notes

    def enter(self, tick, released):
        for payment in sorted(released, key=lambda payment: payment.arrival_seq):
            payment.entry_tick, payment.entry_seq = tick, self.entries
            self.entries += 1
            behind = any(p.sender == payment.sender and p.priority <= payment.priority for p in self.queue)
            if self.rules.queue2.entry == "queue":
                payment.wait_reason = "entry_rule"
            elif self.rules.queue2.discipline == "fifo" and behind:
                payment.wait_reason = "behind_another"
            elif payment.amount > self.available(payment.sender):
                payment.wait_reason = "liquidity"
            if payment.wait_reason is None:
                self.settle([payment], "immediate", tick)
            else:
                self.queue.append(payment)
                self.observe()

    def retry(self, tick):
        settled = []
        progress = self.rules.queue2.entry != "queue"
        while progress:
            progress = False
            blocked = set()
            for payment in self.in_order():
                if payment.sender in blocked:
                    continue
                if payment.amount <= self.available(payment.sender):
                    self.settle([payment], "queue", tick)
                    settled.append(payment)
                    progress = True
                elif self.rules.queue2.discipline == "fifo":
                    blocked.add(payment.sender)
        return settled

    def settle(self, payments, mechanism, tick, cycles=None):
        """One step. cycles: (agents, payments) of each cycle to record; None if not by the LSM."""
        for payment in payments:
            self.balances[payment.sender] -= payment.amount
            self.balances[payment.receiver] += payment.amount
        assert all(self.available(agent) >= 0 for agent in self.agents)
        self.queue = [payment for payment in self.queue if payment not in payments]
        for agent in self.agents:
            self.notes.min_balances[agent] = min(self.notes.min_balances[agent], self.balances[agent])
            self.notes.max_balances[agent] = max(self.notes.max_balances[agent], self.balances[agent])
        for agents, members in cycles or [(None, payments)]:
            if cycles:
                self.record_cycle(agents, members, mechanism, tick)
            for p in members:
                by_lsm = (self.lsm_pass, len(self.notes.cycles) - 1) if cycles else (None, None)
                self.notes.settlements.append(
                    (p.id, tick, self.notes.steps, mechanism, p.entry_tick, p.entry_seq, *by_lsm, p.wait_reason)
                )
        self.notes.steps += 1
        self.observe()

    def record_cycle(self, agents, members, mechanism, tick):
        net = [
            sum(p.amount for p in members if p.receiver == agent) - sum(p.amount for p in members if p.sender == agent)
            for agent in agents
        ]
        amounts = [p.amount for p in members]
        moved = sum(-position for position in net if position < 0)
        ids = [p.id for p in members]
        self.notes.cycles.append(
            (tick, self.lsm_pass, mechanism, agents, ids, amounts, net, min(amounts), moved, sum(amounts))
        )
        self.run_cycles[mechanism] += 1
        self.run_sums[0] += len(members)
        self.run_sums[1] += sum(amounts)
        self.run_sums[2] += moved

    # The LSM

    def run_lsm(self, tick):
        lsm = self.rules.lsm
        if not self.queue or not (lsm.bilateral or lsm.ring or lsm.gridlock):
            return
        before = (len(self.queue), sum(p.amount for p in self.queue))
        self.run_cycles = {"bilateral": 0, "ring": 0, "gridlock": 0}
        self.run_sums = [0, 0, 0]
        retried = []
        self.hit_limit = "none"
        progress, self.lsm_pass = True, 0
        while progress and self.lsm_pass < lsm.max_passes:
            self.lsm_pass += 1
            cycles_before = len(self.notes.cycles)
            if lsm.bilateral:
                self.sweep_pairs(tick)
            if lsm.ring:
                self.search_rings(tick)
            if lsm.gridlock and len(self.notes.cycles) == cycles_before:
                self.resolve_gridlock(tick)
            progress = len(self.notes.cycles) > cycles_before
            if progress:
                retried += self.retry(tick)
        if progress and self.hit_limit == "none":
            self.hit_limit = "passes"
        after = (len(self.queue), sum(p.amount for p in self.queue))
        self.notes.runs.append(
            (
                tick, self.lsm_pass, *self.run_cycles.values(), *self.run_sums,
                len(retried), sum(p.amount for p in retried),
                before[0], after[0], before[1], after[1], self.hit_limit,
            )
        )  # fmt: skip

    def cycles_bound_met(self):
        """Asked before each scope: a pair queued both ways, a search of an agent that pays and is paid, the queue."""
        if sum(self.run_cycles.values()) >= self.rules.lsm.max_cycles_per_tick:
            self.hit_limit = "cycles"
            return True
        return False

    def net(self, scope):
        kept = list(scope)
        while True:
            short = [agent for agent in self.agents if self.outflow(agent, kept) > self.available(agent)]
            if not short:
                return kept
            newest = max((p for p in kept if p.sender == short[-1]), key=lambda p: (p.priority, p.entry_seq))
            kept.remove(newest)

    def outflow(self, agent, payments):
        paid = sum(p.amount for p in payments if p.sender == agent)
        return paid - sum(p.amount for p in payments if p.receiver == agent)

    def sweep_pairs(self, tick):
        for i in self.agents:
            for j in self.agents:
                if i < j and self.oldest(i, j) and self.oldest(j, i):
                    if self.cycles_bound_met():
                        return
                    kept = self.net([p for p in self.in_order() if {p.sender, p.receiver} == {i, j}])
                    if {p.sender for p in kept} == {i, j}:
                        self.settle(kept, "bilateral", tick, [([i, j], kept)])

    def rings_from(self, first):
        """All rings through an agent that are queued, each as its legs from that agent, by (length, path)."""
        others = [agent for agent in self.agents if agent != first]
        for length in range(3, self.rules.lsm.max_cycle_length + 1):
            for rest in permutations(others, length - 1):
                path = (first, *rest)
                legs = [self.oldest(path[k], path[(k + 1) % length]) for k in range(length)]
                if all(legs):
                    yield legs

    def feasible(self, payments):
        return all(self.outflow(agent, payments) <= self.available(agent) for agent in self.agents)

    def search_rings(self, tick):
        while self.touched:
            v = min(self.touched)
            searching = True
            while searching:
                pays = any(self.oldest(v, other) for other in self.agents)
                is_paid = any(self.oldest(other, v) for other in self.agents)
                if pays and is_paid and self.cycles_bound_met():
                    return
                admitted = [
                    legs
                    for legs in self.rings_from(v)
                    if (v, legs[0].receiver) in self.new or legs[0].amount - legs[-1].amount > self.low[v]
                ]
                ring = next((legs for legs in admitted if self.feasible(legs)), None)
                searching = ring is not None
                if ring:
                    start = min(range(len(ring)), key=lambda k: ring[k].sender)
                    ring = ring[start:] + ring[:start]
                    self.settle(ring, "ring", tick, [([p.sender for p in ring], ring)])
            self.touched.discard(v)
            self.new = {pair for pair in self.new if pair[0] != v}
            self.low[v] = self.available(v)

    def resolve_gridlock(self, tick):
        if not self.queue or self.cycles_bound_met():
            return
        kept = self.net(self.in_order())
        if not kept:
            return
        cycles = []
        agents_left = sorted({p.sender for p in kept} | {p.receiver for p in kept})
        while agents_left:
            component, size = {agents_left[0]}, 0
            while len(component) > size:
                size = len(component)
                for p in kept:
                    if p.sender in component or p.receiver in component:
                        component |= {p.sender, p.receiver}
            cycles.append((sorted(component), [p for p in kept if p.sender in component]))
            agents_left = [agent for agent in agents_left if agent not in component]
        self.settle(kept, "gridlock", tick, cycles)

    # What the ring search remembers

    def all_oldest(self):
        return {(i, j): self.oldest(i, j) for i in self.agents for j in self.agents}

    def observe(self):
        """After every change: who is touched, which pairs are new, how low liquidity went."""
        for agent in self.agents:
            if self.available(agent) > self.seen_available[agent]:
                self.touched.add(agent)
            self.low[agent] = min(self.low[agent], self.available(agent))
            self.seen_available[agent] = self.available(agent)
        now = self.all_oldest()
        for pair, oldest in now.items():
            if oldest is not None and oldest is not self.seen_oldest[pair]:
                self.new.add(pair)
                self.touched.add(pair[0])
        self.seen_oldest = now
