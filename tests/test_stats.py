"""Statistics against slow writings of them, and vectors that several processes keep in one folder."""
import itertools, math, subprocess, sys
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
import numpy as np, pytest
from espresso.evaluation.stats import _draws, _figures, _sums, compare, counts, holm, interval, macro, mcnemar, micro, student, swap_test, visible, wilson

def made(rng, n=60, videos=12, tasks=3): return rng.random(n).round(3), rng.integers(videos, size=n), rng.integers(tasks, size=n)

def test_resampled_figures_are_those_of_the_resampled_questions():
    rng = np.random.default_rng(0)
    values, videos, tasks = made(rng)
    for named in None, tasks:
        s, n = _sums(values, videos, named)
        times = next(_draws(len(s), 40, 1))
        for row, got in zip(times, _figures(s, n, times)[0]):
            at = np.concatenate([np.tile(np.flatnonzero(videos == v), int(k)) for v, k in zip(np.unique(videos), row)])
            assert got == pytest.approx(micro(values[at]) if named is None else macro(values[at], tasks[at]))

def test_the_standard_error_is_that_of_a_mean_when_each_question_has_its_own_video():
    values = np.random.default_rng(1).random(50)
    s, n = _sums(values, np.arange(50), None)
    assert _figures(s, n, np.ones((1, 50)))[1][0] == pytest.approx(values.std(ddof=1)/math.sqrt(50))

def test_a_question_asked_five_times_counts_once():
    rng = np.random.default_rng(2)
    right, of = (rng.random(80) < .4).astype(float), np.arange(80)
    once, five = interval(right, of, resamples=1000), interval(np.repeat(right, 5), np.repeat(of, 5), resamples=1000)
    assert (five.low, five.high, five.error) == pytest.approx((once.low, once.high, once.error)) and five.items == 400

def test_intervals_hold_the_value_and_stay_where_shares_are():
    rng = np.random.default_rng(3)
    for k in range(60):
        n = int(rng.integers(2, 60))
        right, of = (rng.random(n) < rng.random()).astype(float), rng.integers(max(1, n//3), size=n)
        i = interval(right, of, rng.integers(3, size=n) if k % 2 else None, resamples=200)
        assert 0 <= i.low <= i.value <= i.high <= 1 and i.high > i.low, (right, of)

def test_swap_test_against_all_swaps():
    rng = np.random.default_rng(4)
    d, videos, tasks = rng.integers(-1, 2, 30).astype(float), rng.integers(9, size=30), rng.integers(2, size=30)
    for named in None, tasks:
        def figure(signs): v = d*np.array([signs[x] for x in videos]); return micro(v) if named is None else macro(v, named)
        every = [abs(figure(signs)) >= abs(figure([1]*9)) - 1e-12 for signs in itertools.product((1, -1), repeat=9)]
        assert swap_test(d, videos, named, 20_000) == pytest.approx(np.mean(every), abs=.015)

def test_mcnemar_against_whole_numbers():
    for b in range(12):
        for c in range(12):
            want = min(1, Fraction(2*sum(math.comb(b+c, i) for i in range(min(b, c)+1)), 2**(b+c)))
            assert mcnemar(b, c) == pytest.approx(float(want))

def test_holm_keeps_the_promise_it_makes():
    rng = np.random.default_rng(5)
    found = sum((holm(rng.random(14)) < .05).any() for _ in range(2000))
    assert .03 < found/2000 < .07
    assert holm([]).tolist() == []

def test_counts_against_printing():
    def once(v, d): return str(v.quantize(Decimal(1).scaleb(-d), ROUND_HALF_UP))
    for n in 30, 57, 62, 157, 426:
        for k in range(n+1):
            v = Decimal(100*k)/n
            assert k in counts(once(v, 1), n) and k in counts(once(Decimal(once(v, 2)), 1), n, twice=True)
        assert sum(len(counts(f'{p/10:.1f}', n)) for p in range(1001)) == pytest.approx(n+1, abs=3) # More only where a count lies between two

def test_models_that_are_alike_are_undecided_and_a_large_gap_is_not():
    verdicts, large = Counter(), Counter()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        of = np.repeat(np.arange(60), 5)
        level = rng.beta(.6, 1., 60)[of]
        a, b = (rng.random(300) < level).astype(float), (rng.random(300) < level).astype(float)
        verdicts[compare(a, b, of, resamples=400).verdict] += 1
        c = compare(a, np.maximum(b, rng.random(300) < .5), of, resamples=400)
        large[c.verdict] += 1
        assert c.visible == pytest.approx(visible(c.difference.error, 60)) and (c.verdict == 'undecided' or abs(c.difference.value) >= c.visible)
    assert verdicts['undecided'] >= 57 and large['second'] >= 57, (verdicts, large)

def test_intervals_cover():
    "A few repeats only; `benchmarks/intervals.py` does many"
    hit, rng = 0, np.random.default_rng(6)
    for seed in range(120):
        of = np.repeat(np.arange(40), 5)
        right = (rng.random(200) < np.repeat(rng.beta(.6, 1.4, 40), 5)).astype(float)
        i = interval(right, of, resamples=300, seed=seed)
        hit += i.low <= .3 <= i.high
    assert .90 <= hit/120 <= .99

def test_quantiles_of_students_t():
    for freedom, want in (1, 63.657), (2, 9.925), (4, 4.604), (8, 3.355), (20, 2.845), (120, 2.617): assert student(.995, freedom) == pytest.approx(want, rel=.025)
    low, high = wilson(9, 10)
    assert (low, high) == pytest.approx((.5958, .9821), abs=1e-3)

WRITE = '''
import sys, numpy as np
from espresso.evaluation.vectors import Vectors
class Numbers:
    name = 'numbers'
    def embed(self, texts): return np.stack([np.random.default_rng(int(t)).standard_normal(16).astype(np.float32) for t in texts])
v = Vectors(Numbers(), batch=7, folder=sys.argv[1])
a = int(sys.argv[2])
for k in range(a, a+60): v([str(k), str(k+20)])
'''

def test_processes_share_a_folder_of_vectors(tmp_path):
    from espresso.evaluation.vectors import Vectors
    jobs = [subprocess.Popen([sys.executable, '-c', WRITE, str(tmp_path), str(a)]) for a in (0, 30, 60)]
    assert [j.wait() for j in jobs] == [0, 0, 0]
    class Silent:
        name = 'numbers'
        def embed(self, texts): raise AssertionError(texts)
    v = Vectors(Silent(), folder=tmp_path)
    assert sorted(v.row.values()) == list(range(140))
    want = np.stack([np.random.default_rng(k).standard_normal(16).astype(np.float32) for k in range(140)])
    assert np.allclose(v([str(k) for k in range(140)]), want/np.linalg.norm(want, axis=1, keepdims=True), atol=1e-6)
